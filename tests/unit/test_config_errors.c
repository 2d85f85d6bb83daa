/* Configurations that are refused, and the words they are refused with. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "config_case.h"

START_TEST(mistakes_are_named_with_their_place)
{
    static const struct {
        const char *text, *says[3];
    } bad[] = {
        {"version: 1\noptim:\n  momentun: 0.9\n",
         {"exp.yaml:3:3: error: unknown key 'momentun' in 'optim' (did you mean 'momentum'?)\n  "
          "momentun: 0.9\n  ^~~~~~~~\n"}},
        {"version: 1\nopitm: {}\n",
         {"exp.yaml:2:1: error: unknown key 'opitm' (did you mean 'optim'?)\nopitm: {}\n^~~~~\n"}},
        {"version: 1\nlr: 0.1\n",
         {"exp.yaml:2:1: error: unknown key 'lr' (did you mean 'optim.lr'?)"}},
        {"version: 1\noptim.lr: 0.1\n",
         {"exp.yaml:2:1: error: unknown key 'optim.lr': write 'lr' inside 'optim'"}},
        {"version: 1\ndata: {öß: 1, batsch: 3}\n",
         {"exp.yaml:2:8: error: unknown key 'öß' in 'data'\n",
          "exp.yaml:2:15: error: unknown key 'batsch' in 'data' (did you mean 'batch'?)\ndata: "
          "{öß: 1, batsch: 3}\n              ^~~~~~\n"}},
        {"version: 1\nmode: snyc\n",
         {"exp.yaml:2:7: error: 'mode' cannot be 'snyc' (did you mean 'sync'?)"}},
        {"version: 1\nmodel: {name: resnet19}\n",
         {"exp.yaml:2:15: error: 'model.name' cannot be 'resnet19' (did you mean 'resnet18'?)"}},
        {"version: 1\nmodel: {name: lenet}\n",
         {"cannot be 'lenet': expected dgl4, dgl6, vgg11, resnet18 or resnet20"}},
        {"version: 1\naux: {kind: mlpsr}\n", {"(did you mean 'mlp-sr'?)"}},
        {"version: 1\noptim: sgd\n",
         {"exp.yaml:2:8: error: 'optim' cannot be 'sgd' (no section): expected a section of keys, "
          "such as {name: sgd, lr: 0.1}"}},
        {"version: 1\ndata: [a]\n",
         {"exp.yaml:2:7: error: 'data' cannot be a list: expected a section of keys, such as "
          "{name: cifar10"}},
        {"version: 1\noptim:\nseed: 1\n", {"exp.yaml:2:1: error: 'optim' has no value"}},
        {"version: 1\nseed:\n", {"exp.yaml:2:1: error: 'seed' has no value"}},
        {"version: 1\nblocks: {threads: 1}\n",
         {"exp.yaml:2:9: error: 'blocks' cannot be a section: expected a list"}},
        {"version: 1\nblocks: [1, {}]\n",
         {"exp.yaml:2:10: error: 'blocks[0]' must be a section of keys"}},
        {"version: 1\nblocks: [{thread: 1}]\n",
         {"exp.yaml:2:11: error: unknown key 'thread' in 'blocks[0]' (did you mean 'threads'?)"}},
        {"version: 1\nblocks:\n  - aux: {hiden: 1}\n",
         {"exp.yaml:3:11: error: unknown key 'hiden' in 'blocks[0].aux' (did you mean 'hidden'?)"}},
        {"version: 1\nseed: 1\nseed: 2\n",
         {"exp.yaml:3:1: error: duplicate key 'seed', first in line 2"}},
        {"version: 1\noptim:\n  lr: 1\n  lr: 1\n",
         {"exp.yaml:4:3: error: duplicate key 'lr' in 'optim', first in line 3"}},
        {"version: 2\nfoo: 1\n", {"exp.yaml:1:10: error: 'version' cannot be '2'"}},
        {"version: '1'\n", {"exp.yaml:1:10: error: 'version' cannot be '1' (a quoted text"}},
        {"seed: 1\n", {"exp.yaml: error: 'version: 1' is missing"}},
        {"", {"exp.yaml: error: is empty"}},
        {"# nothing\n\n", {"exp.yaml: error: is empty"}},
        {"---\n...\n", {"exp.yaml: error: is empty"}},
        {"- version: 1\n",
         {"exp.yaml:1:1: error: expected keys and values, such as 'version: 1', not a list"}},
        {"version 1\n", {"exp.yaml:1:1: error: expected keys and values", "not a single text"}},
        {"version: 1\n---\nseed: 1\n", {"exp.yaml:2:1: error: a second document begins here"}},
        {"\tversion: 1\n", {"exp.yaml:1:1: error: "}},
        {"version: 1\noptim:\n\tlr: 1\n", {"exp.yaml:3:1: error: tab"}},
        {"version: 1\nseed: [1, 2\n", {"exp.yaml:3:1: error: "}},
        {"version: 1\nseed: @x\n", {"exp.yaml:2:7: error: ", "seed: @x\n      ^"}},
        {"version: 1\nname: \"x\n", {"exp.yaml:2:"}},
        {"version: 1\nblocks: &b [*b]\n",
         {"exp.yaml:2:13: error: alias '*b' stands inside its own anchor: a loop"}},
        {"version: 1\nblocks: *b\n",
         {"exp.yaml:2:9: error: alias '*b' has no anchor '&b' before it"}},
        {"version: 1\n<<: {seed: 1}\n", {"exp.yaml:2:1: error: merge keys"}},
        {"version: 1\nseed: !!int 1\n", {"error: tags"}},
        {"version: 1\n? [a]\n: 1\n", {"exp.yaml:2:3: error: a key must be a word"}},
        {"version: 1\nname: a/b\n",
         {"exp.yaml:2:7: error: 'name' names a directory: it cannot be 'a/b'"}},
        {"version: 1\nname: ..\n", {"exp.yaml:2:7: error: 'name' names a directory"}},
        {"version: 1\nname: ''\n", {"exp.yaml:2:7: error: 'name' cannot be ''"}},
        {"version: 1\nname: \"a\\eb\"\n",
         {"exp.yaml:2:7: error: 'name' cannot be 'a?b' (a control character)"}},
        {"version: 1\ndata: {name: idx}\n", {"exp.yaml:2:14: error: 'data.root' is missing"}},
        {"version: 1\ndata: {classes: 9}\n",
         {"exp.yaml:2:17: error: cifar10 has 10 classes, not 9"}},
        {"version: 1\ndata: {mean: [.5]}\n",
         {"exp.yaml:2:14: error: 'data.mean' has 1 numbers: cifar10 has 3 a pixel"}},
        {"version: 1\ndata: {augment: [crop 4, flop]}\n",
         {"exp.yaml:2:26: error: 'data.augment' cannot be 'flop' (did you mean 'flip'?)"}},
        {"version: 1\ndata: {augment: [crop]}\n",
         {"exp.yaml:2:18: error: 'data.augment' cannot be 'crop' (a number is missing)"}},
        {"version: 1\ndata: {augment: [flip 2]}\n", {"(flip has no number)"}},
        {"version: 1\ndata: {augment: crop 4}\n",
         {"exp.yaml:2:17: error: 'data.augment' cannot be 'crop 4'"}},
        {"version: 1\noptim: {nesterov: true, momentum: 0}\n",
         {"exp.yaml:2:19: error: 'optim.nesterov' needs a momentum above 0"}},
    };
    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        config_refuse(bad[i].text, NULL);
        for (size_t k = 0; k < 3 && bad[i].says[k] != NULL; k++) ck_says(bad[i].says[k]);
    }
}
END_TEST

START_TEST(cuts_blocks_units_and_schedules_must_fit_together)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"version: 1\nmodel: {name: dgl4, cuts: [1, 2, 6]}\n",
         "exp.yaml:2:34: error: cut after unit 6: dgl4 has 4 units, so the last cut can be after "
         "unit 3\n"},
        {"version: 1\nmodel: {name: dgl4, cuts: [4]}\n",
         "exp.yaml:2:28: error: cut after unit 4, the last of dgl4"},
        {"version: 1\nmodel: {name: dgl6, cuts: [6]}\n", "the last of dgl6"},
        {"version: 1\nmodel: {name: vgg11, cuts: [8]}\n", "the last of vgg11"},
        {"version: 1\nmodel: {name: resnet18, cuts: [9]}\n", "the last of resnet18"},
        {"version: 1\nmodel: {name: resnet20, cuts: [11]}\n", "resnet20 has 10 units"},
        {"version: 1\nmodel: {cuts: [2, 2]}\n",
         "exp.yaml:2:19: error: 'model.cuts' must ascend: 2 stands after 2"},
        {"version: 1\nmodel: {cuts: [3, 1]}\n",
         "exp.yaml:2:19: error: 'model.cuts' must ascend: 1 stands after 3"},
        {"version: 1\nmodel: {units: [{conv: 8}, {conv: 8, repeat: 2}], cuts: [4]}\n",
         "exp.yaml:2:58: error: cut after unit 4: the net has 3 units"},
        {"version: 1\nmodel: {name: dgl4, units: [{conv: 8}]}\n",
         "exp.yaml:2:15: error: 'model.name' and 'model.units' exclude each other"},
        {"version: 1\nmodel: {units: []}\n", "exp.yaml:2:16: error: 'model.units' is empty"},
        {"version: 1\nmodel: {units: [{pool: 2}]}\n",
         "exp.yaml:2:17: error: 'model.units[0]' needs a kind: 'conv' or 'residual'"},
        {"version: 1\nmodel: {units: [{conv: 2, residual: 2}]}\n",
         "'model.units[0]' needs only one kind"},
        {"version: 1\nmodel: {units: [{residual: 2, pool: 2}]}\n", "'pool' goes with 'conv'"},
        {"version: 1\nmodel: {units: [{residual: 2, bias: true}]}\n", "'bias' goes with 'conv'"},
        {"version: 1\nmodel: {cuts: [2]}\nblocks: [{}, {}, {}]\n",
         "exp.yaml:3:9: error: 'blocks' has 3 entries, the cuts make 2 blocks"},
        {"version: 1\nblocks: [{}]\n",
         "exp.yaml:2:9: error: 'blocks' has 1 entries, the cuts make 4 blocks"},
        {"version: 1\nmodel: {cuts: auto}\nblocks: [{}, {}, {}, {}, {}]\n",
         "exp.yaml:3:9: error: 'blocks' has 5 entries: dgl4 has 4 units, so there are at most 4"},
        {"version: 1\nmodel: {cuts: atuo}\n",
         "exp.yaml:2:15: error: 'model.cuts' cannot be 'atuo' (did you mean 'auto'?)"},
        {"version: 1\noptim: {schedule: {kind: multistep}}\n",
         "exp.yaml:2:26: error: 'optim.schedule.at' is missing"},
        {"version: 1\noptim: {schedule: {kind: multistep, at: [5ep, 5ep]}}\n",
         "exp.yaml:2:47: error: 'optim.schedule.at' must ascend"},
        {"version: 1\noptim: {schedule: {kind: multistep, at: [5ep, 9st]}}\n",
         "exp.yaml:2:47: error: 'optim.schedule.at' mixes units"},
        {"version: 1\nuntil: 5ep\noptim: {schedule: {warmup: 5ep}}\n",
         "exp.yaml:3:28: error: 'optim.schedule.warmup' must end before 'until'"},
    };
    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        config_refuse(bad[i].text, NULL);
        ck_says(bad[i].says);
    }
    static const char *const fine[] = {"model.cuts=[1, 2, 3]", "model.cuts=[]", "model.cuts=every",
                                       "model.units=[{residual: 4, repeat: 3}]",
                                       "model={cuts: auto}"};
    static const int n_block[] = {4, 1, 4, 3, 0}; /* 0: not known before the plan */
    for (size_t i = 0; i < ADN_COUNT(fine); i++) {
        adn_config *c = config_good(NULL, &fine[i], 1);
        ck_assert_int_eq(adn_config_blocks(c), n_block[i]);
        adn_config_free(c);
    }
    adn_config *c = config_good("version: 1\nmodel: {cuts: auto}\nblocks: [{}, {}]\n", NULL, 0);
    ck_assert(c->model.cuts_kind == ADN_CUTS_AUTO && adn_config_blocks(c) == 2);
    adn_config_free(c);
}
END_TEST

START_TEST(the_length_of_a_run_in_time_needs_modelled_time_to_anneal)
{
    static const char *const bad[] = {"linear", "cosine"}, *const fine[] = {"schedule=virtual"};
    char text[128];

    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        snprintf(text, sizeof(text), "version: 1\nuntil: 5min\noptim: {schedule: {kind: %s}}\n",
                 bad[i]);
        config_refuse(text, NULL);
        ck_says("exp.yaml:3:26: error: a schedule that ends at 'until'");
        adn_config_free(config_good(text, fine, 1));
    }
    config_refuse(text, "schedule=virtul"); /* which may have been meant to be virtual */
    ck_silent_about("a schedule that ends");
}
END_TEST

START_TEST(all_errors_of_a_file_are_said_up_to_twenty)
{
    char text[4096] = "version: 1\noptim: {lr: 010, momentun: 1, momentum: nan}\nmodel: {cuts: [2, "
                      "9]}\nuntil: 5\n";
    config_refuse(text, "optim.weight_decay=3k");
    ck_says("exp.yaml:2:13: error: 'optim.lr'");
    ck_says("exp.yaml:2:18: error: unknown key 'momentun'");
    ck_says("exp.yaml:2:41: error: 'optim.momentum'");
    ck_says(
        "exp.yaml:3:19: error: cut after unit 9"); /* the other section's errors do not hide it */
    ck_says("exp.yaml:4:8: error: 'until'");
    ck_says("argument 'optim.weight_decay=3k': error: ");

    size_t n = (size_t)snprintf(text, sizeof(text), "version: 1\n");
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "nonsense%d: 1\n", i);
    config_refuse(text, NULL);
    ck_says("exp.yaml:21:1: error: unknown key 'nonsense19'");
    ck_silent_about("nonsense20");
    ck_says("more than 20 errors");
}
END_TEST

START_TEST(one_error_does_not_make_others_of_its_consequences)
{
    config_refuse("version: 1\nmodel: {nam: resnet18, cuts: [8]}\n",
                  NULL); /* not a cut beyond dgl4 */
    ck_says("unknown key 'nam'");
    ck_silent_about("cut after");
    config_refuse("version: 1\nmodel: {name: resnet81, cuts: [8]}\n", NULL);
    ck_silent_about("cut after");
    config_refuse("version: 1\nmoddel: {name: resnet18}\nblocks: [{}, {}]\n", NULL);
    ck_silent_about("'blocks' has");
    config_refuse("version: 1\ndata: {name: idxx}\n", NULL);
    ck_silent_about("data.root");
}
END_TEST

START_TEST(keys_and_values_of_later_issues_are_refused_by_name)
{
    static const struct {
        const char *text, *says;
    } later[] = {
        {"version: 1\ndata: {name: folder}\n",
         "exp.yaml:2:14: error: 'data.name: folder' is not yet in adonis 0.1; now: cifar10, "
         "cifar100 or idx\ndata: {name: folder}\n             ^~~~~~\n"},
        {"version: 1\ndata: {name: tar}\n", "'data.name: tar' is not yet"},
        {"version: 1\ndata: {name: pack}\n", "'data.name: pack' is not yet"},
        {"version: 1\ndata: {augment: [resized_crop 224]}\n",
         "'data.augment: resized_crop 224' is not yet"},
        {"version: 1\ndata: {augment: [mixup .2]}\n", "'data.augment: mixup .2' is not yet"},
        {"version: 1\ndata: {size: 224}\n", "'data.size: 224' is not yet in adonis 0.1; now: auto"},
        {"version: 1\ndata: {on_error: skip}\n", "'data.on_error: skip' is not yet"},
        {"version: 1\ndata: {max_bad: 5}\n", "'data.max_bad: 5' is not yet"},
        {"version: 1\nmodel: {name: vgg13}\n", "'model.name: vgg13' is not yet"},
        {"version: 1\naux: {kind: auglocal}\n", "'aux.kind: auglocal' is not yet"},
        {"version: 1\nedge: {codec: {kind: pq}}\n", "'edge.codec.kind: pq' is not yet"},
        {"version: 1\nedge: {codec: {dim: 8}}\n",
         "exp.yaml:2:16: error: 'edge.codec.dim: 8' is not yet"},
        {"version: 1\noptim: {name: lamb}\n",
         "'optim.name: lamb' is not yet in adonis 0.1; now: sgd or adamw"},
        {"version: 1\noptim: {name: muon}\n", "'optim.name: muon' is not yet"},
        {"version: 1\noptim: {clip_norm: 5}\n", "'optim.clip_norm: 5' is not yet"},
        {"version: 1\nlog: {trace: 5}\n", "'log.trace: 5' is not yet"},
    };
    for (size_t i = 0; i < ADN_COUNT(later); i++) {
        config_refuse(later[i].text, NULL);
        ck_says(later[i].says);
    }
    config_refuse(NULL, "optim.name=lamb");
    ck_says("argument 'optim.name=lamb': error: 'optim.name: lamb' is not yet");
    adn_config_free(config_good(
        "version: 1\nmode: async\nschedule: threads\nprecision: fp32\nreplicas: 1\nclock: "
        "fresh\nafter_end: "
        "eval_forward\n"
        "chaos: {}\nlog: {trace: 0}\noptim: {name: sgd, clip_norm: inf}\nmodel: {bn_reuse: once}\n"
        "data: {size: auto, on_error: fail, max_bad: 100, max_pixels: 100000000}\n"
        "edge: {policy: fifo, when_full: block, link: auto, place: device, codec: {kind: none}}\n",
        NULL, 0));
    ck_silent_about("warning");
}
END_TEST

START_TEST(a_key_that_the_mode_does_not_use_is_a_warning)
{
    static const char text[] =
        "version: 1\nmode: bp\nedge: {slots: 4, policy: priority-lifo}\nmodel: {cuts: [1]}\n"
        "aux: {kind: cnn}\nblocks: [{threads: 5}, {}]\n";
    static const char *const sync[] = {"mode=sync"};
    char *dump = NULL;
    adn_config *c = config_good(text, NULL, 0);

    ck_says("exp.yaml:3:15: warning: 'edge.slots' is not used in mode bp");
    ck_says("exp.yaml:4:15: warning: 'model.cuts' is not used in mode bp");
    ck_says("exp.yaml:5:13: warning: 'aux.kind' is not used in mode bp");
    ck_says("exp.yaml:6:20: warning: 'blocks[0].threads' is not used in mode bp");
    ck_assert_int_eq(adn_config_blocks(c), 1);
    ck_assert_int_eq(c->n_block, 0); /* the entries belong to another mode's blocks */
    ck_assert_int_eq(adn_config_dump(c, &dump), ADN_OK);
    ck_assert_ptr_nonnull(strstr(dump, "exp.yaml:3, unused in mode bp\n"));
    ck_assert_ptr_nonnull(strstr(dump, "\n#   slots: 4 "));
    adn_free(dump);
    adn_config_free(c);

    c = config_good(text, sync, 1); /* one file serves all modes */
    ck_silent_about("edge.slots");
    ck_silent_about("aux.kind");
    ck_says(
        "exp.yaml:3:26: warning: 'edge.policy' is not used in mode sync"); /* fifo there, always */
    ck_assert(c->edge.slots == 4 && c->n_block == 2 && c->blocks[0].threads == 5);
    adn_config_free(c);

    c = config_good(
        "version: 1\nedge: {max_reuse: 3}\noptim: {reset_momentum: true, schedule: {kind: "
        "cosine, every: 3ep}}\n"
        "model: {name: resnet20}\nclassifier: {hidden: 1}\naux: {kind: linear, conv: 2}\n",
        NULL, 0);
    ck_says("'edge.max_reuse' is not used in mode sync");
    ck_says("'optim.schedule.every' is not used in schedule cosine");
    ck_says("'optim.reset_momentum' is not used in schedule cosine");
    ck_says("'classifier.hidden' is not used in a ResNet");
    ck_says("'aux.conv' is not used in this kind of head");
    adn_config_free(c);
}
END_TEST

START_TEST(a_key_of_another_optimizer_is_a_warning)
{
    static const char text[] =
        "version: 1\n"
        "optim: {name: adamw, momentum: 0, nesterov: true, reset_momentum: true,\n"
        "        betas: [0.8, .95], eps: 1e-6}\n";
    static const char *const sgd[] = {"optim.name=sgd", "optim.momentum=0.5"};
    static const struct {
        const char *key, *says;
    } bad[] = {{"optim.betas=0.9", "expected a list of two numbers from 0 to below 1"},
               {"optim.betas=[0.9]", "'optim.betas' has 1 of its 2 entries"},
               {"optim.betas=[0.9, 0.99, 0.5]", "'optim.betas' has 3 entries: expected at most 2"},
               {"optim.betas=[0.9, 1]", "expected a list of two numbers from 0 to below 1"},
               {"optim.betas=[0.9, auto]", "expected a list of two numbers from 0 to below 1"},
               {"optim.eps=0", "expected a number from 1e-30 to 1"},
               {"optim.name=adam", "'optim.name' cannot be 'adam' (did you mean 'adamw'?)"}};
    char *dump = NULL;
    adn_config *c = config_good(text, NULL, 0);

    ck_says("exp.yaml:2:32: warning: 'optim.momentum' is not used in optimizer adamw");
    ck_says("'optim.nesterov' is not used in optimizer adamw");
    ck_says("'optim.reset_momentum' is not used in optimizer adamw");
    ck_silent_about("optim.betas");
    ck_assert(c->optim.kind == ADN_OPTIM_ADAMW && !c->optim.reset_momentum);
    ck_assert(c->optim.betas[0] == 0.8 && c->optim.betas[1] == 0.95 && c->optim.eps == 1e-6);
    ck_assert_int_eq(adn_config_dump(c, &dump), ADN_OK);
    ck_assert_ptr_nonnull(strstr(dump, "\n  betas: [0.8, 0.95] "));
    ck_assert_ptr_nonnull(strstr(dump, "exp.yaml:2, unused in optimizer adamw\n"));
    adn_free(dump);
    adn_config_free(c);

    c = config_good(text, sgd, 2); /* one file serves both */
    ck_says("exp.yaml:3:16: warning: 'optim.betas' is not used in optimizer sgd");
    ck_says("'optim.eps' is not used in optimizer sgd");
    ck_silent_about("optim.momentum");
    ck_assert(c->optim.kind == ADN_OPTIM_SGD && c->optim.reset_momentum);
    adn_config_free(c);

    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        config_refuse(NULL, bad[i].key);
        ck_says(bad[i].says);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_errors");
    TCase *refusing = tcase_create("refusing");

    tcase_add_test(refusing, mistakes_are_named_with_their_place);
    tcase_add_test(refusing, cuts_blocks_units_and_schedules_must_fit_together);
    tcase_add_test(refusing, the_length_of_a_run_in_time_needs_modelled_time_to_anneal);
    tcase_add_test(refusing, all_errors_of_a_file_are_said_up_to_twenty);
    tcase_add_test(refusing, one_error_does_not_make_others_of_its_consequences);
    tcase_add_test(refusing, keys_and_values_of_later_issues_are_refused_by_name);
    tcase_add_test(refusing, a_key_that_the_mode_does_not_use_is_a_warning);
    tcase_add_test(refusing, a_key_of_another_optimizer_is_a_warning);
    suite_add_tcase(suite, refusing);
    return adn_suite_run(suite);
}
