/* Making, opening and locking a run's directory; its status and events. lines.c and rows.c have the
 * files that grow. */
#include "store/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "store/checkpoint.h"
#include "store/rundir_private.h"

enum { MAX_CONFIG = 1 << 20, MAX_STATUS = 1 << 22 };
static const char status_file[] = "status.json", lock_file[] = "lock";

static adn_status no_memory(const char *what)
{
    return ADN_FAIL(ADN_NOMEM, "%s: no memory for the run", what);
}

/* --- The lock */

/* dir/lock, held: *out_fd, or ADN_END when another process holds it, whose number is *out_pid. */
static adn_status take_lock(const char *dir, int *out_fd, long *out_pid)
{
    char pid[32] = "", *path = adn_path_join(dir, lock_file);
    adn_status st = ADN_OK;

    if (path == NULL) return no_memory(dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        st = ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", path, strerror(errno));
    } else if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
        if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
            adn_debug("%s: has no process number: %s", path,
                      strerror(errno)); /* only a message lacks it */
        *out_fd = fd;
        fd = -1;
    } else if (errno == EWOULDBLOCK) {
        ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
        *out_pid = n > 0 ? strtol(pid, NULL, 10) : 0;
        st = ADN_END;
    } else {
        st = ADN_FAIL(ADN_IO, "%s: cannot be locked: %s", path, strerror(errno));
    }
    if (fd >= 0) close(fd);
    adn_free(path);
    return st;
}

/* --- Making */

static adn_status put_file(const char *dir, const char *name, const char *text)
{
    char *path = adn_path_join(dir, name);
    if (path == NULL) return no_memory(dir);
    adn_status st = adn_file_write(path, text, strlen(text));
    adn_free(path);
    return st;
}

static adn_status copy_config(const char *dir, const char *from)
{
    char *text = NULL;
    size_t n;
    adn_status st;

    if (from == NULL) return ADN_OK;
    ADN_TRY(st, adn_file_read(from, MAX_CONFIG, &text, &n), done);
    char *path = adn_path_join(dir, "config.yaml");
    st = path == NULL ? no_memory(dir) : adn_file_write(path, text, n);
    adn_free(path);
done:
    adn_free(text);
    return st;
}

static adn_status put_status(const char *dir, const char *state, const char *blocks_json)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char *text =
        adn_format("{\"version\": 1, \"state\": \"%s\", \"pid\": %ld, \"time\": %lld.%03ld, "
                   "\"blocks\": %s}\n",
                   state, (long)getpid(), (long long)now.tv_sec, now.tv_nsec / 1000000,
                   blocks_json != NULL ? blocks_json : "[]");
    if (text == NULL) return no_memory(dir);
    adn_status st = put_file(dir, status_file, text);
    adn_free(text);
    return st;
}

static adn_status fill(const char *dir, const adn_rundir_conf *conf)
{
    char names[ADN_CSV_ROOM];
    adn_status st;
    char *ckpt = adn_path_join(dir, "ckpt");

    if (ckpt == NULL) return no_memory(dir);
    ADN_TRY(st, adn_dir_make(ckpt), done);
    ADN_TRY(st, copy_config(dir, conf->config_path), done);
    ADN_TRY(st, put_file(dir, ADN_GIVEN_FILE, conf->given), done);
    ADN_TRY(st, put_file(dir, "config.resolved.yaml", conf->resolved), done);
    ADN_TRY(st, put_file(dir, "command.txt", conf->command), done);
    ADN_TRY(st, put_file(dir, "env.json", conf->env_json), done);
    ADN_TRY(st, put_file(dir, "plan.json", conf->plan_json), done);
    for (const adn_csv *t = adn_run_tables; t < adn_run_tables + ADN_N_TABLE; t++) {
        adn_csv_names(t, names);
        ADN_TRY(st, put_file(dir, t->file, names), done);
    }
    ADN_TRY(st, put_file(dir, "events.jsonl", "{\"version\": 1}\n"), done);
    st = put_status(dir, "running", NULL);
done:
    adn_free(ckpt);
    return st;
}

/* A temporary folder of this name: a killed process left it and it goes, or its maker lives:
 * ADN_END. */
static adn_status remove_leftover(const char *tmp)
{
    int fd;
    long pid;

    if (!adn_path_exists(tmp)) return ADN_OK;
    adn_status st = take_lock(tmp, &fd, &pid);
    if (st != ADN_OK) return st;
    st = adn_dir_remove(tmp);
    close(fd);
    return st;
}

/* ADN_END: another process makes or made this very run meanwhile. */
static adn_status make_new(adn_rundir *r, const adn_rundir_conf *conf, const char *name)
{
    long pid;
    bool is_made = false;
    char *tmp = adn_format("%s/.%s.tmp", conf->runs, name);
    adn_status st;

    if (tmp == NULL) return no_memory(conf->runs);
    ADN_TRY(st, remove_leftover(tmp), done);
    if (mkdir(tmp, 0777) != 0) {
        st = errno == EEXIST ? ADN_END
                             : ADN_FAIL(ADN_IO, "%s: cannot be made: %s", tmp, strerror(errno));
        goto done;
    }
    is_made = true;
    ADN_TRY(st, take_lock(tmp, &r->lock_fd, &pid), done);
    ADN_TRY(st, fill(tmp, conf), done);
    ADN_TRY(st, adn_dir_sync(tmp), done);
    if (rename(tmp, r->path) != 0)
        st = errno == EEXIST || errno == ENOTEMPTY
                 ? ADN_END
                 : ADN_FAIL(ADN_IO, "%s: cannot be renamed to %s: %s", tmp, r->path,
                            strerror(errno));
    else
        st = adn_dir_sync(conf->runs);
    r->state = ADN_RUN_NEW;
done:
    if (st != ADN_OK && is_made && adn_path_exists(tmp) && adn_dir_remove(tmp) != ADN_OK)
        adn_warn("%s: stays until the next run of this name", tmp);
    if (st != ADN_OK && r->lock_fd >= 0) {
        close(r->lock_fd);
        r->lock_fd = -1;
    }
    adn_free(tmp);
    return st;
}

/* --- Opening */

static adn_status read_state(const char *dir, adn_run_state *out)
{
    char *text = NULL, *path = adn_path_join(dir, status_file);
    size_t n;
    adn_status st;

    if (path == NULL) return no_memory(dir);
    *out = ADN_RUN_UNFINISHED; /* so is one that was killed before it could say anything */
    st = ADN_OK;
    if (!adn_path_exists(path)) goto done;
    ADN_TRY(st, adn_file_read(path, MAX_STATUS, &text, &n), done);
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    const char *state = json_string_value(json_object_get(root, "state"));
    if (state == NULL)
        adn_warn("%s: is damaged, the run is taken as unfinished", path);
    else if (strcmp(state, "finished") == 0)
        *out = ADN_RUN_FINISHED;
    json_decref(root);
done:
    adn_free(text);
    adn_free(path);
    return st;
}

static adn_status open_there(adn_rundir *r, const adn_rundir_conf *conf)
{
    long pid = 0;
    adn_status st;

    ADN_TRY(st, adn_given_compare(r->path, conf->given), done);
    st = take_lock(r->path, &r->lock_fd, &pid);
    if (st == ADN_END)
        st = ADN_FAIL(ADN_USAGE, "%s: is in use by process %ld; --new starts a run of its own",
                      r->path, pid);
    if (st != ADN_OK) goto done;
    ADN_TRY(st, read_state(r->path, &r->state), done);
    if (r->state == ADN_RUN_UNFINISHED && conf->never_resume) {
        st = ADN_FAIL(
            ADN_USAGE,
            "%s: is unfinished, and --resume never refuses to resume it; --new starts a run of "
            "its own",
            r->path);
        goto done;
    }
    st = adn_ckpt_clean(r->path);
done:
    return st;
}

static adn_status open_lines(adn_rundir *r)
{
    char names[ADN_CSV_ROOM];
    adn_status st;

    ADN_TRY(st, adn_lines_open(r->path, "log.txt", NULL, &r->log_fd), done);
    for (int i = 0; i < ADN_N_TABLE; i++) {
        adn_csv_names(&adn_run_tables[i], names);
        ADN_TRY(st, adn_lines_open(r->path, adn_run_tables[i].file, names, &r->table_fds[i]), done);
    }
    st = adn_lines_open(r->path, "events.jsonl", "{\"version\": 1}\n", &r->events_fd);
done:
    return st;
}

/* The n-th name to try, from 1: name, name-2, name-3, ... ADN_END: take the next. */
static adn_status try_name(adn_rundir *r, const adn_rundir_conf *conf, int n)
{
    adn_status st = ADN_NOMEM;
    char *name = n == 1 ? adn_strdup(conf->name) : adn_format("%s-%d", conf->name, n);

    adn_free(r->path);
    r->path = name == NULL ? NULL : adn_path_join(conf->runs, name);
    if (r->path == NULL) {
        no_memory(conf->runs);
        goto done;
    }
    st = ADN_END;
    if (!adn_path_exists(r->path)) st = make_new(r, conf, name);
    if (st != ADN_END || conf->fresh_suffix) goto done;
    if (adn_path_exists(r->path))
        st = open_there(r, conf);
    else
        st = ADN_FAIL(ADN_USAGE, "%s: is just being made by another process", r->path);
done:
    adn_free(name);
    return st;
}

adn_status adn_rundir_open(const adn_rundir_conf *conf, adn_rundir **out)
{
    adn_status st;
    adn_rundir *r;

    if (conf->name[0] == '\0' || conf->name[0] == '.' || strchr(conf->name, '/') != NULL)
        return ADN_FAIL(ADN_BADCONF,
                        "'%s' cannot be a run's name: it would be empty, hidden or a path",
                        conf->name);
    r = adn_alloc(sizeof(*r));
    if (r == NULL) return no_memory(conf->name);
    r->lock_fd = r->log_fd = r->events_fd = -1;
    for (int i = 0; i < ADN_N_TABLE; i++) r->table_fds[i] = -1;
    pthread_mutex_init(&r->mutex, NULL);
    ADN_TRY(st, adn_dir_make(conf->runs), fail);
    st = ADN_END;
    for (int n = 1; st == ADN_END; n++) st = try_name(r, conf, n);
    if (st != ADN_OK) goto fail;
    ADN_TRY(st, open_lines(r), fail);
    *out = r;
    return ADN_OK;
fail:
    adn_rundir_close(r);
    return st;
}

void adn_rundir_close(adn_rundir *r)
{
    if (r == NULL) return;
    for (int i = 0; i < ADN_N_TABLE; i++)
        if (r->table_fds[i] >= 0) close(r->table_fds[i]);
    const int fds[] = {r->log_fd, r->events_fd, r->lock_fd}; /* the lock last */
    for (size_t i = 0; i < ADN_COUNT(fds); i++)
        if (fds[i] >= 0) close(fds[i]);
    pthread_mutex_destroy(&r->mutex);
    adn_free(r->path);
    adn_free(r);
}

const char *adn_rundir_path(const adn_rundir *r)
{
    return r->path;
}

adn_run_state adn_rundir_state(const adn_rundir *r)
{
    return r->state;
}

int adn_rundir_log_fd(const adn_rundir *r)
{
    return r->log_fd;
}

adn_status adn_rundir_status(adn_rundir *r, const char *state, const char *blocks_json)
{
    pthread_mutex_lock(&r->mutex);
    adn_status st = put_status(r->path, state, blocks_json);
    pthread_mutex_unlock(&r->mutex);
    return st;
}

adn_status adn_rundir_event(adn_rundir *r, const char *json)
{
    char *line = adn_format("%s\n", json);
    if (line == NULL) return no_memory(r->path);
    pthread_mutex_lock(&r->mutex);
    adn_status st = adn_lines_append(r->events_fd, "events.jsonl", line, strlen(line), false);
    pthread_mutex_unlock(&r->mutex);
    adn_free(line);
    return st;
}
