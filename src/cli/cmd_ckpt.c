/* adonis ckpt: what checkpoints a run has, what is in them, and whether they are sound. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "core/file.h"
#include "core/json.h"
#include "store/store.h"

typedef struct options {
    const char *name; /* NULL: not given */
    bool is_json;
} options;

static adn_status print_json(adn_json *j)
{
    if (j->failed) return ADN_FAIL(ADN_NOMEM, "ckpt: no memory for the table");
    printf("%s\n", j->text);
    return ADN_OK;
}

/* --- ls */

static void list_as_json(adn_json *j, const adn_ckpt_info *list, int n)
{
    adn_json_open(j, NULL, '[');
    for (const adn_ckpt_info *c = list; c < list + n; c++) {
        adn_json_newline(j);
        adn_json_open(j, NULL, '{');
        adn_json_string(j, "name", c->name);
        adn_json_int(j, "epoch", c->epoch);
        adn_json_int(j, "batch", c->batch);
        adn_json_int(j, "step", c->step);
        adn_json_int(j, "blocks", c->n_block);
        adn_json_int(j, "bytes", c->bytes);
        adn_json_number(j, "score", c->score);
        adn_json_bool(j, "whole", c->is_whole);
        adn_json_bool(j, "last", c->is_last);
        adn_json_bool(j, "best", c->is_best);
        adn_json_close(j, '}');
    }
    adn_json_close(j, ']');
}

static void list_as_table(const adn_ckpt_info *list, int n)
{
    printf("%-14s %6s %6s %9s %12s %7s %-6s\n", "name", "epoch", "batch", "step", "bytes", "score",
           "whole");
    for (const adn_ckpt_info *c = list; c < list + n; c++) {
        char score[32] = "-";
        if (!isnan(c->score)) snprintf(score, sizeof(score), "%.2f", c->score);
        printf("%-14s %6d %6d %9lld %12lld %7s %-6s%s%s\n", c->name, c->epoch, c->batch,
               (long long)c->step, (long long)c->bytes, score, c->is_whole ? "yes" : "NO",
               c->is_last ? " last" : "", c->is_best ? " best" : "");
    }
}

static adn_status list_all(const char *run, const options *o)
{
    adn_ckpt_info *list = NULL;
    int n = 0;
    adn_json j = {0};
    adn_status st = adn_ckpt_list(run, &list, &n);

    if (st != ADN_OK) return st;
    if (o->is_json) {
        list_as_json(&j, list, n);
        st = print_json(&j);
        adn_json_clear(&j);
    } else if (n == 0) {
        adn_info("%s: has no checkpoints", run);
    } else {
        list_as_table(list, n);
    }
    adn_free(list);
    return st;
}

/* --- show */

static int64_t n_element(const adn_st_tensor *t)
{
    int64_t n = 1;
    for (int d = 0; d < t->n_dim; d++) n *= t->dim[d];
    return n;
}

static void tensor_as_json(adn_json *j, const adn_st_tensor *t)
{
    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_string(j, "name", t->name);
    adn_json_string(j, "type", adn_st_type_name(t->type));
    adn_json_open(j, "shape", '[');
    for (int d = 0; d < t->n_dim; d++) adn_json_int(j, NULL, t->dim[d]);
    adn_json_close(j, ']');
    adn_json_int(j, "bytes", adn_st_bytes(t));
    adn_json_close(j, '}');
}

static void file_as_json(adn_json *j, const char *name, const adn_st_file *f)
{
    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_string(j, "file", name);
    adn_json_open(j, "metadata", '{');
    for (int i = 0; i < f->n_meta; i++) adn_json_string(j, f->meta[i].key, f->meta[i].value);
    adn_json_close(j, '}');
    adn_json_open(j, "tensors", '[');
    for (int i = 0; i < f->n_tensor; i++) tensor_as_json(j, &f->tensors[i]);
    adn_json_close(j, ']');
    adn_json_close(j, '}');
}

static void file_as_table(const char *name, const adn_st_file *f)
{
    int64_t n_bytes = 0, n_all = 0;

    printf("%s\n", name);
    for (int i = 0; i < f->n_meta; i++) printf("  %s: %s\n", f->meta[i].key, f->meta[i].value);
    for (int i = 0; i < f->n_tensor; i++) {
        const adn_st_tensor *t = &f->tensors[i];
        char shape[96] = "scalar";
        for (int d = 0, at = 0; d < t->n_dim; d++)
            at += snprintf(shape + at, sizeof(shape) - (size_t)at, "%s%lld", d > 0 ? "x" : "",
                           (long long)t->dim[d]);
        printf("  %-40s %s %16s %12lld\n", t->name, adn_st_type_name(t->type), shape,
               (long long)adn_st_bytes(t));
        n_bytes += adn_st_bytes(t);
        n_all += n_element(t);
    }
    printf("  %d tensors, %lld numbers, %lld bytes\n", f->n_tensor, (long long)n_all,
           (long long)n_bytes);
}

static adn_status show_file(const char *dir, const char *name, adn_json *j, bool is_json)
{
    adn_st_file f = {0};
    char *path = adn_path_join(dir, name);

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", dir);
    adn_status st = adn_st_read(path, &f);
    if (st == ADN_OK && is_json) file_as_json(j, name, &f);
    if (st == ADN_OK && !is_json) file_as_table(name, &f);
    adn_st_clear(&f);
    adn_free(path);
    return st;
}

static bool is_safetensors(const char *name)
{
    static const char tail[] = ".safetensors";
    size_t n = strlen(name), n_tail = sizeof(tail) - 1;
    return n > n_tail && strcmp(name + n - n_tail, tail) == 0;
}

static adn_status show_one(const char *run, const options *o)
{
    const char *name = o->name != NULL ? o->name : "last";
    adn_ckpt_file *files = NULL;
    int n = 0;
    int64_t bytes = 0;
    char *dir = NULL;
    adn_json j = {0};
    adn_status st;

    ADN_TRY(st, adn_ckpt_path(run, name, &dir), done);
    ADN_TRY(st, adn_ckpt_files(run, name, &files, &n), done);
    if (o->is_json) adn_json_open(&j, NULL, '[');
    for (int i = 0; i < n; i++) {
        bytes += files[i].bytes;
        if (is_safetensors(files[i].name))
            ADN_TRY(st, show_file(dir, files[i].name, &j, o->is_json), done);
    }
    if (o->is_json) {
        adn_json_close(&j, ']');
        st = print_json(&j);
    } else {
        printf("%s: %d files, %lld bytes\n", dir, n, (long long)bytes);
    }
done:
    adn_json_clear(&j);
    adn_free(files);
    adn_free(dir);
    return st;
}

/* --- verify */

static adn_status verify_one(const char *run, const char *name)
{
    adn_status st = adn_ckpt_verify(run, name);
    if (st == ADN_OK || st == ADN_BADCKPT)
        printf("%-14s %s\n", name, st == ADN_OK ? "ok" : "DAMAGED");
    return st;
}

static adn_status verify(const char *run, const options *o)
{
    adn_ckpt_info *list = NULL;
    int n = 0;

    if (o->name != NULL) return verify_one(run, o->name);
    adn_status st = adn_ckpt_list(run, &list, &n);
    if (st == ADN_OK && n == 0) adn_info("%s: has no checkpoints", run);
    for (int i = 0; i < n; i++) {
        adn_status one = verify_one(run, list[i].name);
        if (one != ADN_OK) st = one;
    }
    adn_free(list);
    return st;
}

adn_status cmd_ckpt(int argc, char **argv)
{
    static const struct {
        const char *name;
        adn_status (*run)(const char *run, const options *o);
    } verbs[] = {{"ls", list_all}, {"show", show_one}, {"verify", verify}};
    adn_cli_args args;
    char *run = NULL;
    size_t verb = 0;
    adn_status st = adn_cli_read(argc, argv, 2, 3, &args);

    if (st != ADN_OK) return st;
    while (verb < ADN_COUNT(verbs) && strcmp(args.words[0], verbs[verb].name) != 0) verb++;
    if (strcmp(args.words[0], "average") == 0) return ADN_FAIL(ADN_USAGE, "ckpt average: not yet");
    if (verb == ADN_COUNT(verbs))
        return ADN_FAIL(ADN_USAGE, "ckpt: unknown '%s', expected ls, show or verify",
                        args.words[0]);
    const options o = {.name = args.words[2], .is_json = adn_cli_has(&args, "--json")};
    st = adn_cli_find_run(args.words[1], &run);
    if (st == ADN_OK) st = verbs[verb].run(run, &o);
    adn_free(run);
    return st;
}
