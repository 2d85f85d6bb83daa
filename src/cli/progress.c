/* The display of a run under way: where its lines go on the terminal. */
#include "cli/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/progress_text.h"

static const double redraw_s = .25;      /* on a terminal: a few times a second */
static const double plain_s = 10;        /* elsewhere: at least that long between two lines */
enum { MAX_LINES = ADN_MAX_BLOCKS + 2 }; /* of the block on the terminal */

struct adn_progress {
    const adn_config *conf;
    pthread_mutex_t lock; /* taken inside the log's lock: nothing is logged while it is held */
    bool is_live, has_colour;
    adn_pace pace;
    double drawn_s;                  /* when it was last drawn */
    char lines[MAX_LINES][ADN_LINE]; /* the block as drawn last */
    int n_line, n_drawn;             /* n_drawn: of them on the screen, right above the cursor */
    int width;
    char frame[MAX_LINES * (ADN_LINE + 8) + 64]; /* one write each, so that it does not flicker */
};

static int number_of(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? atoi(text) : 0;
}

/* Columns and rows that a line may use: the last column stays free, for some terminals wrap there.
 */
static void screen_size(int *width, int *height)
{
    struct winsize w = {0};

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0) memset(&w, 0, sizeof(w));
    *width = w.ws_col > 0 ? w.ws_col : number_of("COLUMNS");
    *height = w.ws_row > 0 ? w.ws_row : number_of("LINES");
    if (*width <= 0) *width = 80;
    if (*height <= 0) *height = 24;
    *width = ADN_MIN(ADN_MAX(*width - 1, 10), ADN_LINE - 1);
}

/* --- the block in place */

static void redraw(adn_progress *p)
{
    size_t n = 0, room = sizeof(p->frame);

    if (p->n_drawn > 0) n += (size_t)snprintf(p->frame, room, "\033[%dA", p->n_drawn);
    for (int i = 0; i < p->n_line; i++)
        n += (size_t)snprintf(p->frame + n, room - n, "\r%s\033[K\n", p->lines[i]);
    n += (size_t)snprintf(p->frame + n, room - n, "\033[J");
    fwrite(p->frame, 1, n, stderr);
    p->n_drawn = p->n_line;
}

static void erase(adn_progress *p)
{
    if (p->n_drawn > 0) fprintf(stderr, "\033[%dA\r\033[J", p->n_drawn);
    p->n_drawn = 0;
}

static void make_lines(adn_progress *p, const adn_tick *tick)
{
    int width, height, epoch = 0;

    screen_size(&width, &height);
    if (width != p->width) p->n_drawn = 0; /* the old lines are wrapped anew: leave them */
    p->width = width;
    int n_shown = ADN_MIN(tick->n_block,
                          ADN_MAX(1, height - 3)); /* cursor keys do not reach above the screen */
    p->n_line = 0;
    for (int b = 0; b < n_shown; b++)
        epoch = adn_text_block(p->lines[p->n_line++], width, tick, b, epoch);
    if (n_shown < tick->n_block)
        snprintf(p->lines[p->n_line++], (size_t)width + 1, "... %d more blocks",
                 tick->n_block - n_shown);
    adn_text_total(p->lines[p->n_line++], width, tick, &p->pace);
}

/* A log line: the block steps aside. Runs with the log's lock held. */
static void put_log_line(void *user, adn_level level, const char *text)
{
    static const char *const colour[] = {"\033[31m", "\033[33m", "", ""};
    adn_progress *p = user;

    pthread_mutex_lock(&p->lock);
    erase(p);
    if (p->has_colour && colour[level][0] != '\0')
        fprintf(stderr, "adonis: %s%s\033[0m\n", colour[level], text);
    else
        fprintf(stderr, "adonis: %s\n", text);
    if (p->n_line > 0) redraw(p);
    pthread_mutex_unlock(&p->lock);
}

/* --- what the run tells */

void adn_progress_row(adn_progress *p, const adn_epoch_row *row)
{
    char line[ADN_LINE];
    (void)p;
    adn_text_row(line, row);
    adn_info("%s", line);
}

void adn_progress_tick(adn_progress *p, const adn_tick *tick)
{
    char line[ADN_LINE];
    double now = adn_now(), every = p->is_live ? redraw_s : ADN_MAX(plain_s, p->conf->log_every_s);

    pthread_mutex_lock(&p->lock);
    adn_pace_update(&p->pace, tick, &p->conf->until);
    if (now - p->drawn_s >= every) {
        p->drawn_s = now;
        if (p->is_live) {
            make_lines(p, tick);
            redraw(p);
        } else {
            adn_text_plain(line, tick, &p->pace);
            fprintf(stderr, "adonis: %s\n", line);
        }
    }
    pthread_mutex_unlock(&p->lock);
}

void adn_progress_interrupted(adn_progress *p)
{
    pthread_mutex_lock(&p->lock);
    p->n_drawn = 0;
    pthread_mutex_unlock(&p->lock);
}

/* --- life */

static bool is_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

adn_status adn_progress_create(const adn_config *conf, adn_progress **out)
{
    const char *no_color = getenv("NO_COLOR");
    adn_progress *p = adn_alloc(sizeof(*p));

    if (p == NULL) return ADN_FAIL(ADN_NOMEM, "progress: no memory");
    pthread_mutex_init(&p->lock, NULL);
    p->conf = conf;
    p->is_live = is_terminal();
    p->has_colour = p->is_live && (no_color == NULL || no_color[0] == '\0');
    p->drawn_s = p->is_live ? 0 : adn_now(); /* the first plain line comes after the first while */
    if (p->is_live) adn_log_sink_set(put_log_line, p);
    *out = p;
    return ADN_OK;
}

void adn_progress_destroy(adn_progress *p)
{
    if (p == NULL) return;
    if (p->is_live) {
        adn_log_sink_set(NULL, NULL);
        erase(p); /* its last numbers stand in the rows above it */
    }
    pthread_mutex_destroy(&p->lock);
    adn_free(p);
}
