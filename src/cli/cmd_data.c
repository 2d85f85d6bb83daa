/* adonis data check: reads a data set through, and prints what is in it. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "core/json.h"
#include "data/data.h"

enum { MOST_CLASSES = 256 }; /* a label is a byte */

typedef struct found {
    const adn_data_conf *conf;
    adn_dataset_pair pair;
    int n_train[MOST_CLASSES], n_test[MOST_CLASSES];      /* samples a class */
    double mean[ADN_MAX_CHANNELS], std[ADN_MAX_CHANNELS]; /* of the training pixels as they are */
} found;

static const char *origin(const found *f, bool is_auto)
{
    if (!is_auto) return "given";
    return strncmp(f->conf->name, "cifar", 5) == 0 ? "published" : "computed";
}

/* ---- as text ---- */

static void print_split(const char *name, const adn_dataset *set)
{
    printf("%s: %d images of %d x %d x %d, %d classes, %.1f MB\n", name, set->n, set->h, set->w,
           set->c, set->classes, 1e-6 * set->n * set->h * set->w * set->c);
}

static void print_channels(const char *name, const double *used, const char *from,
                           const double *measured, int c)
{
    printf("%-5s", name);
    for (int k = 0; k < c; k++) printf(" %.6f", used[k]);
    printf("  %s; training pixels have", from);
    for (int k = 0; k < c; k++) printf(" %.6f", measured[k]);
    printf("\n");
}

static void print_text(const found *f)
{
    const adn_dataset_pair *p = &f->pair;

    printf("%s in %s\n\n%-6s %12s %9s  %s\n", f->conf->name, f->conf->root, "split", "bytes",
           "samples", "file");
    for (const adn_data_file *file = p->files; file < p->files + p->n_file; file++)
        printf("%-6s %12lld %9d  %s (%s)\n", file->is_test ? "test" : "train",
               (long long)file->bytes, file->n, file->path, file->what);
    printf("\n");
    print_split("train", &p->train);
    print_split("test", &p->test);
    printf("\n%5s %9s %9s\n", "class", "train", "test");
    for (int k = 0; k < p->train.classes; k++)
        printf("%5d %9d %9d\n", k, f->n_train[k], f->n_test[k]);
    printf("\n");
    print_channels("mean", p->mean, origin(f, f->conf->auto_mean), f->mean, p->train.c);
    print_channels("std", p->std, origin(f, f->conf->auto_std), f->std, p->train.c);
}

/* ---- as JSON ---- */

static void put_split(adn_json *j, const char *name, const adn_dataset *set, const int *per_class)
{
    adn_json_open(j, name, '{');
    adn_json_int(j, "images", set->n);
    adn_json_int(j, "height", set->h);
    adn_json_int(j, "width", set->w);
    adn_json_int(j, "channels", set->c);
    adn_json_open(j, "per_class", '[');
    for (int k = 0; k < set->classes; k++) adn_json_int(j, NULL, per_class[k]);
    adn_json_close(j, ']');
    adn_json_close(j, '}');
}

static void put_channels(adn_json *j, const char *name, const double *values, int c)
{
    adn_json_open(j, name, '[');
    for (int k = 0; k < c; k++) adn_json_number(j, NULL, values[k]);
    adn_json_close(j, ']');
}

static void put_files(adn_json *j, const adn_dataset_pair *p)
{
    adn_json_open(j, "files", '[');
    for (const adn_data_file *file = p->files; file < p->files + p->n_file; file++) {
        adn_json_open(j, NULL, '{');
        adn_json_string(j, "path", file->path);
        adn_json_string(j, "split", file->is_test ? "test" : "train");
        adn_json_string(j, "what", file->what);
        adn_json_int(j, "bytes", file->bytes);
        adn_json_int(j, "samples", file->n);
        adn_json_close(j, '}');
    }
    adn_json_close(j, ']');
}

static adn_status print_json(const found *f)
{
    const adn_dataset_pair *p = &f->pair;
    adn_json j = {0};
    adn_status st = ADN_OK;

    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "name", f->conf->name);
    adn_json_string(&j, "root", f->conf->root);
    put_files(&j, p);
    adn_json_int(&j, "classes", p->train.classes);
    put_split(&j, "train", &p->train, f->n_train);
    put_split(&j, "test", &p->test, f->n_test);
    put_channels(&j, "mean", p->mean, p->train.c);
    adn_json_string(&j, "mean_from", origin(f, f->conf->auto_mean));
    put_channels(&j, "std", p->std, p->train.c);
    adn_json_string(&j, "std_from", origin(f, f->conf->auto_std));
    put_channels(&j, "train_mean", f->mean, p->train.c);
    put_channels(&j, "train_std", f->std, p->train.c);
    adn_json_close(&j, '}');
    if (j.failed)
        st = ADN_FAIL(ADN_NOMEM, "data: no memory for the table");
    else
        printf("%s\n", j.text);
    adn_json_clear(&j);
    return st;
}

static adn_status check(const adn_data_conf *conf, bool is_json)
{
    found f = {.conf = conf};
    adn_status st = adn_dataset_open(conf, &f.pair);

    if (st != ADN_OK) return st;
    const adn_dataset *train = &f.pair.train, *test = &f.pair.test;
    for (int i = 0; i < train->n; i++) f.n_train[train->labels[i]]++;
    for (int i = 0; i < test->n; i++) f.n_test[test->labels[i]]++;
    adn_dataset_moments(train, f.mean, f.std);
    if (is_json)
        st = print_json(&f);
    else
        print_text(&f);
    adn_dataset_close(&f.pair);
    return st;
}

adn_status cmd_data(int argc, char **argv)
{
    adn_cli_args args;
    adn_config *conf = NULL;
    adn_status st = adn_cli_read(argc, argv, 1, 2, &args);

    if (st != ADN_OK) return st;
    const char *verb = args.words[0];
    if (strcmp(verb, "pack") == 0 || strcmp(verb, "preview") == 0)
        return ADN_FAIL(ADN_USAGE, "data %s: not yet in this version; there is data check", verb);
    if (strcmp(verb, "check") != 0)
        return ADN_FAIL(ADN_USAGE,
                        "data: '%s' is unknown; usage: adonis data check [CONFIG] [key=value ...]",
                        verb);
    const char *path = args.n_word > 1 ? args.words[1] : NULL;
    ADN_TRY(st, adn_config_load(path, args.overrides, args.n_override, &conf), done);
    st = check(&conf->data, adn_cli_has(&args, "--json"));
done:
    adn_config_free(conf);
    return st;
}
