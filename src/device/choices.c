/* A sorted array of pairs: some hundreds at most, put once each. */
#include "device/choices.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef struct choice {
    char *key, *text;
} choice;

struct adn_choices {
    pthread_mutex_t lock;
    choice *list; /* [room] */
    int n, room;
};

adn_status adn_choices_create(adn_choices **out)
{
    adn_choices *c = adn_alloc(sizeof(*c));

    if (c == NULL) return ADN_FAIL(ADN_NOMEM, "choices: no memory");
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return ADN_OK;
}

void adn_choices_destroy(adn_choices *c)
{
    if (c == NULL) return;
    for (int i = 0; i < c->n; i++) {
        adn_free(c->list[i].key);
        adn_free(c->list[i].text);
    }
    adn_free(c->list);
    pthread_mutex_destroy(&c->lock);
    adn_free(c);
}

/* Where the key is, or belongs. */
static int place_of(const adn_choices *c, const char *key, bool *is_there)
{
    int from = 0, to = c->n;

    *is_there = false;
    while (from < to && !*is_there) {
        int middle = (from + to) / 2, order = strcmp(c->list[middle].key, key);
        *is_there = order == 0;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return to;
}

bool adn_choices_get(adn_choices *c, const char *key, char *out, size_t room)
{
    bool is_there;

    pthread_mutex_lock(&c->lock);
    int at = place_of(c, key, &is_there);
    if (is_there) is_there = snprintf(out, room, "%s", c->list[at].text) < (int)room;
    pthread_mutex_unlock(&c->lock);
    return is_there;
}

static bool make_room(adn_choices *c)
{
    if (c->n < c->room) return true;
    int room = 2 * c->room + 16;
    choice *list = adn_alloc((size_t)room * sizeof(*list));

    if (list == NULL) return false;
    if (c->n > 0) memcpy(list, c->list, (size_t)c->n * sizeof(*list));
    adn_free(c->list);
    c->list = list;
    c->room = room;
    return true;
}

adn_status adn_choices_put(adn_choices *c, const char *key, const char *text)
{
    choice made = {adn_strdup(key), adn_strdup(text)};
    bool is_there = false, is_kept = false;

    pthread_mutex_lock(&c->lock);
    if (made.key != NULL && made.text != NULL && make_room(c)) {
        int at = place_of(c, key, &is_there);
        if (!is_there) {
            memmove(c->list + at + 1, c->list + at, (size_t)(c->n - at) * sizeof(*c->list));
            c->list[at] = made;
            c->n++;
            is_kept = true;
        }
    }
    pthread_mutex_unlock(&c->lock);
    if (is_kept) return ADN_OK;
    adn_free(made.key);
    adn_free(made.text);
    return is_there ? ADN_OK : ADN_FAIL(ADN_NOMEM, "choices: no memory");
}

void adn_choices_each(adn_choices *c, adn_choice_fn fn, void *user)
{
    for (int i = 0; i < c->n; i++) fn(user, c->list[i].key, c->list[i].text);
}
