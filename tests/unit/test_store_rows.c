/* A run's append-only files: rows, events, log; after a kill, on a full disk, at a resume. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run_case.h"
#include "suite.h"

static adn_epoch_row row_of(int epoch, int block)
{
    return (adn_epoch_row){.epoch = epoch,
                           .block = block,
                           .steps = 391 * (int64_t)epoch,
                           .samples = 50000 * (int64_t)epoch,
                           .lr = 0.1,
                           .train_loss = 1.0 / 3,
                           .train_top1 = 55.5,
                           .test_loss = NAN,
                           .test_top1 = NAN,
                           .img_s = 31020.25,
                           .wait_in = 0,
                           .wait_out = 1e-20,
                           .seconds = 12,
                           .reread = 7,
                           .span_s = 12.5,
                           .busy = 0.75};
}

static void put_row(int epoch, int block)
{
    adn_epoch_row row = row_of(epoch, block);
    ck_assert(adn_rundir_row(run, &row) == ADN_OK);
}

/* "epoch.block" of each row, joined. */
static const char *row_names(void)
{
    static char text[1000];
    adn_epoch_row *rows;
    int n;
    size_t at = 0;
    ck_assert(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_OK);
    text[0] = '\0';
    for (int i = 0; i < n; i++)
        at +=
            (size_t)snprintf(text + at, sizeof(text) - at, "%d.%d ", rows[i].epoch, rows[i].block);
    adn_free(rows);
    return text;
}

static void put_edge_row(int epoch, int edge)
{
    adn_edge_row row = {.epoch = epoch,
                        .edge = edge,
                        .pushed = 400,
                        .pulled = 391,
                        .dropped = 20,
                        .reused = 11,
                        .lost = 3,
                        .bytes = (int64_t)1 << 40,
                        .starved_s = 0.25,
                        .occupancy = 1.0 / 3,
                        .age_mean = 1.5,
                        .age_p50 = 1,
                        .age_p99 = 4,
                        .age_max = 9,
                        .codec_error = NAN};
    ck_assert(adn_rundir_edge_row(run, &row) == ADN_OK);
}

static const char *edge_row_names(void)
{
    static char text[1000];
    adn_edge_row *rows;
    int n;
    size_t at = 0;
    ck_assert(adn_edge_rows_read(adn_rundir_path(run), &rows, &n) == ADN_OK);
    text[0] = '\0';
    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%d.%d ", rows[i].epoch, rows[i].edge);
    adn_free(rows);
    return text;
}

START_TEST(rows_are_read_as_they_were_written)
{
    adn_epoch_row *rows, put = row_of(3, 1);
    int n;
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    ck_assert_str_eq(row_names(), "");
    put_row(3, 1);
    ck_assert(
        strstr(
            run_text("epochs.csv"),
            "\n3,1,1173,150000,0.1,0.3333333333333333,55.5,,,31020.25,0,1e-20,12,7,12.5,0.75\n") !=
        NULL);
    ck_assert(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_OK);
    ck_assert_int_eq(n, 1);
    ck_assert(rows->steps == put.steps && rows->samples == put.samples && rows->lr == put.lr);
    ck_assert(rows->train_loss == put.train_loss && isnan(rows->test_loss) &&
              isnan(rows->test_top1));
    ck_assert(rows->wait_in == 0 && rows->wait_out == put.wait_out && rows->seconds == 12);
    ck_assert(rows->reread == 7 && rows->span_s == 12.5 && rows->busy == 0.75);
    adn_free(rows);
    adn_rundir_close(run);
}
END_TEST

START_TEST(rows_of_edges_are_read_as_they_were_written)
{
    adn_edge_row *rows;
    int n;
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    ck_assert_str_eq(edge_row_names(), "");
    put_edge_row(3, 1);
    ck_assert(strstr(run_text("edges.csv"),
                     "\n3,1,400,391,20,11,0.25,0.3333333333333333,1,4,9,1099511627776,,3,1.5\n") !=
              NULL);
    ck_assert(adn_edge_rows_read(adn_rundir_path(run), &rows, &n) == ADN_OK);
    ck_assert(n == 1 && rows->epoch == 3 && rows->edge == 1);
    ck_assert(rows->pushed == 400 && rows->pulled == 391 && rows->dropped == 20);
    ck_assert(rows->reused == 11 && rows->lost == 3 && rows->bytes == (int64_t)1 << 40);
    ck_assert(rows->starved_s == 0.25 && rows->occupancy == 1.0 / 3 && rows->age_mean == 1.5);
    ck_assert(rows->age_p50 == 1 && rows->age_p99 == 4 && rows->age_max == 9);
    ck_assert(isnan(rows->codec_error));
    adn_free(rows);
    adn_rundir_close(run);
}
END_TEST

START_TEST(a_run_of_before_has_no_rows_of_edges_until_it_is_opened)
{
    adn_edge_row *rows;
    int n = -1;
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    ck_assert(unlink(run_path("edges.csv")) == 0);
    ck_assert(adn_edge_rows_read(adn_rundir_path(run), &rows, &n) == ADN_OK);
    ck_assert(n == 0 && rows == NULL);
    run_reopen();
    put_edge_row(1, 0);
    ck_assert_str_eq(edge_row_names(), "1.0 ");
    adn_rundir_close(run);
}
END_TEST

START_TEST(torn_last_lines_are_skipped_by_readers_and_cut_at_the_next_open)
{
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    put_row(1, 0);
    ck_assert(adn_rundir_event(run, "{\"a\": 1}") == ADN_OK);
    run_append("epochs.csv", "1,1,391,50000,0.1,0.33");
    run_append("edges.csv", "1,1,391,");
    run_append("events.jsonl", "{\"b\": ");
    run_append("log.txt", "a line\nand hal");
    ck_assert_str_eq(row_names(), "1.0 ");
    ck_assert_str_eq(edge_row_names(), "");
    run_reopen();
    put_row(2, 0);
    put_edge_row(2, 0);
    ck_assert_str_eq(edge_row_names(), "2.0 ");
    ck_assert(adn_rundir_event(run, "{\"c\": 1}") == ADN_OK);
    ck_assert(write(adn_rundir_log_fd(run), "next\n", 5) == 5);
    ck_assert_str_eq(row_names(), "1.0 2.0 ");
    ck_assert_str_eq(run_text("events.jsonl"), "{\"version\": 1}\n{\"a\": 1}\n{\"c\": 1}\n");
    ck_assert_str_eq(run_text("log.txt"), "a line\nnext\n");
    adn_rundir_close(run);
}
END_TEST

START_TEST(a_kill_at_any_byte_of_the_rows_costs_the_last_row_at_most)
{
    char whole[1000], first[500];
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    put_row(1, 0);
    strcpy(first, run_text("epochs.csv"));
    put_row(1, 1);
    strcpy(whole, run_text("epochs.csv"));
    for (size_t n = strlen(first); n < strlen(whole); n++) {
        ck_assert(truncate(run_path("epochs.csv"), (off_t)n) == 0);
        ck_assert_str_eq(row_names(), "1.0 ");
        run_reopen();
        put_row(1, 1);
        ck_assert_str_eq(run_text("epochs.csv"), whole);
    }
    ck_assert(truncate(run_path("epochs.csv"), 20) == 0); /* inside the header */
    run_reopen();
    put_row(1, 0);
    ck_assert_str_eq(run_text("epochs.csv"), first);
    adn_rundir_close(run);
}
END_TEST

START_TEST(a_row_that_finds_no_room_leaves_no_part_of_it)
{
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    put_row(1, 0);
    adn_epoch_row row = row_of(1, 1);
    run_limit_files((int64_t)strlen(run_text("epochs.csv")) + 10);
    adn_status st = adn_rundir_row(run, &row);
    run_limit_files(-1);
    ck_assert(st == ADN_IO);
    ck_assert_str_eq(row_names(), "1.0 ");
    put_row(2, 0);
    ck_assert_str_eq(row_names(), "1.0 2.0 ");
    adn_rundir_close(run);
}
END_TEST

START_TEST(long_torn_lines_are_cut_too)
{
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    char *torn = adn_alloc(20001);
    memset(torn, 'x', 20000);
    run_append("log.txt", "whole\n");
    run_append("log.txt", torn);
    run_reopen();
    ck_assert_str_eq(run_text("log.txt"), "whole\n");
    run_append("log.txt", torn);
    torn[4095] = '\0'; /* the newline is the first byte of a piece */
    run_put("log.txt", "\n");
    run_append("log.txt", torn);
    run_reopen();
    ck_assert_str_eq(run_text("log.txt"), "\n");
    adn_free(torn);
    adn_rundir_close(run);
}
END_TEST

START_TEST(a_resume_cuts_the_rows_behind_its_checkpoint)
{
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    for (int e = 1; e <= 4; e++)
        for (int b = 0; b < 3; b++) {
            put_row(e, b);
            put_edge_row(e, b);
        }
    ck_assert(adn_rundir_cut_rows(run, 3) == ADN_OK);
    ck_assert_str_eq(row_names(), "1.0 1.1 1.2 2.0 2.1 2.2 3.0 3.1 3.2 ");
    ck_assert_str_eq(edge_row_names(), row_names());
    put_row(4, 0); /* goes into the file that replaced the old one */
    put_edge_row(4, 0);
    ck_assert_str_eq(row_names(), "1.0 1.1 1.2 2.0 2.1 2.2 3.0 3.1 3.2 4.0 ");
    static const int own[] = {3, 2, 0};
    ck_assert(adn_rundir_cut_block_rows(run, own, 3) == ADN_OK);
    ck_assert_str_eq(row_names(), "1.0 1.1 2.0 2.1 3.0 ");
    ck_assert_str_eq(edge_row_names(), row_names());
    ck_assert(adn_rundir_cut_rows(run, 0) == ADN_OK);
    ck_assert_str_eq(row_names(), "");
    put_row(1, 0);
    ck_assert_str_eq(row_names(), "1.0 ");
    adn_rundir_close(run);
}
END_TEST

START_TEST(later_columns_are_passed_over_and_broken_rows_are_named)
{
    static const char header[] =
        "epoch,block,steps,samples,lr,train_loss,train_top1,test_loss,test_top1,img_s,"
        "wait_in,wait_out,seconds,reread,span_s,busy";
    static const char *const broken[] = {"1",
                                         "1,0,3,4",
                                         "1,0,3,4,1,2,3,4,5,6,7,8",
                                         "x,0,3,4,,,,,,,,,",
                                         "1,0,3,4,,,,,,,,,9x",
                                         "-1,0,3,4,,,,,,,,,",
                                         "99999999999,0,3,4,,,,,,,,,",
                                         "1,,3,4,,,,,,,,,",
                                         "1,0,3,4,,,,,,,,,9,1x",
                                         "1,0,3,4,,,,,,,,,9,-1",
                                         "1,0,3,4,,,,,,,,,9,1,1x",
                                         ""};
    char text[500];
    adn_epoch_row *rows = NULL;
    int n;
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    snprintf(text, sizeof(text), "%s,later\n1,0,3,4,,,,,,,,,5,17,,,x\n1,1,3,4,,,,,,,,,,,,,\n",
             header);
    run_put("epochs.csv", text);
    ck_assert_str_eq(row_names(), "1.0 1.1 ");
    for (size_t i = 0; i < ADN_COUNT(broken); i++) {
        snprintf(text, sizeof(text), "%s\n1,0,3,4,,,,,,,,,5\n%s\n", header, broken[i]);
        run_put("epochs.csv", text);
        adn_test_log_clear();
        ck_assert_msg(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_BADDATA, "%s",
                      broken[i]);
        ck_assert(strstr(adn_test_log(), "epochs.csv:3:") != NULL && rows == NULL);
    }
    ck_assert(adn_rundir_cut_rows(run, 5) == ADN_OK); /* a resume drops them with a warning */
    ck_assert_str_eq(row_names(), "1.0 ");
    static const char *const others[] = {"a,b\n", "epoch,block,steps\n", "epoch", ""};
    for (size_t i = 0; i < ADN_COUNT(others); i++) {
        run_put("epochs.csv", others[i]);
        ck_assert(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_BADDATA);
    }
    snprintf(text, sizeof(text), "%s\n", header);
    text[strlen(text) - 2] = 'x'; /* the name of a later column of ours */
    run_put("epochs.csv", text);
    ck_assert(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_BADDATA);
    snprintf(text, sizeof(text), "%s,la", header); /* torn in its first line */
    run_put("epochs.csv", text);
    ck_assert(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_BADDATA);
    adn_rundir_close(run);
}
END_TEST

START_TEST(a_file_without_later_columns_is_read_and_gets_them_at_a_resume)
{
    static const char old[] =
        "epoch,block,steps,samples,lr,train_loss,train_top1,test_loss,test_top1,img_s,"
        "wait_in,wait_out,seconds\n1,0,3,4,,,,,,,,,5\n1,1,3,4,,,,,,,,,\n2,0,6,8,,,,,,,,,10\n";
    adn_epoch_row *rows;
    int n;
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    run_put("epochs.csv", old);
    ck_assert(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_OK);
    ck_assert(n == 3 && rows[2].steps == 6 && rows[2].seconds == 10 && rows[2].reread == 0);
    ck_assert(isnan(rows[1].seconds) && rows[1].reread == 0 && isnan(rows[1].span_s));
    adn_free(rows);
    run_reopen();
    ck_assert_str_eq(run_text("epochs.csv"), old);
    ck_assert(adn_rundir_cut_rows(run, 1) == ADN_OK);
    put_row(2, 1);
    ck_assert_str_eq(
        run_text("epochs.csv"),
        "epoch,block,steps,samples,lr,train_loss,train_top1,test_loss,test_top1,img_s,"
        "wait_in,wait_out,seconds,reread,span_s,busy\n1,0,3,4,,,,,,,,,5,,,\n1,1,3,4,,,,,,,,,,,,\n"
        "2,1,782,100000,0.1,0.3333333333333333,55.5,,,31020.25,0,1e-20,12,7,12.5,0.75\n");
    ck_assert_str_eq(row_names(), "1.0 1.1 2.1 ");
    run_put("epochs.csv", old);
    ck_assert(adn_rundir_cut_rows(run, 9) == ADN_OK); /* no row goes */
    ck_assert_str_eq(row_names(), "1.0 1.1 2.0 ");
    ck_assert(strstr(run_text("epochs.csv"), "seconds,reread,span_s,busy\n") != NULL);
    adn_rundir_close(run);
}
END_TEST

START_TEST(any_failed_allocation_leaves_the_rows_or_those_that_stay)
{
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    put_row(1, 0);
    adn_status st = ADN_NOMEM;
    for (int n = 1; st != ADN_OK; n++) {
        int64_t live = adn_alloc_live();
        adn_alloc_fail_at(n);
        st = adn_rundir_cut_rows(run, 0);
        adn_alloc_fail_at(0);
        ck_assert(st == ADN_OK || st == ADN_NOMEM);
        ck_assert(adn_alloc_live() == live);
        ck_assert(strcmp(row_names(), "1.0 ") == 0 || strcmp(row_names(), "") == 0);
    }
    put_row(1, 0);
    ck_assert_str_eq(row_names(), "1.0 ");
    adn_epoch_row *rows = NULL;
    int n_row = -1;
    st = ADN_NOMEM;
    for (int n = 1; st != ADN_OK; n++) {
        adn_alloc_fail_at(n);
        st = adn_rows_read(adn_rundir_path(run), &rows, &n_row);
        adn_alloc_fail_at(0);
        ck_assert(st == ADN_OK || (st == ADN_NOMEM && rows == NULL && n_row == -1));
    }
    adn_free(rows);
    adn_rundir_close(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_rows");
    TCase *tc = tcase_create("rows");

    tcase_add_test(tc, rows_are_read_as_they_were_written);
    tcase_add_test(tc, rows_of_edges_are_read_as_they_were_written);
    tcase_add_test(tc, a_run_of_before_has_no_rows_of_edges_until_it_is_opened);
    tcase_add_test(tc, torn_last_lines_are_skipped_by_readers_and_cut_at_the_next_open);
    tcase_add_test(tc, a_kill_at_any_byte_of_the_rows_costs_the_last_row_at_most);
    tcase_add_test(tc, a_row_that_finds_no_room_leaves_no_part_of_it);
    tcase_add_test(tc, long_torn_lines_are_cut_too);
    tcase_add_test(tc, a_resume_cuts_the_rows_behind_its_checkpoint);
    tcase_add_test(tc, later_columns_are_passed_over_and_broken_rows_are_named);
    tcase_add_test(tc, a_file_without_later_columns_is_read_and_gets_them_at_a_resume);
    tcase_add_test(tc, any_failed_allocation_leaves_the_rows_or_those_that_stay);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
