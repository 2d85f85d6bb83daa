/* Numbers and durations, parsed here and never by the YAML reader: decimal, finite, whole texts. */
#include "config/load.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *skip_digits(const char *s)
{
    while (isdigit((unsigned char)*s)) s++;
    return s;
}

/* The end of the decimal number that s begins with; NULL and *fault where it is none. */
static const char *number_end(const char *s, const char **fault)
{
    const char *p = s + (*s == '+' || *s == '-');
    const char *digits = p, *word = p + (*p == '.');

    *fault = "no number";
    if (strncasecmp(word, "nan", 3) == 0 || strncasecmp(word, "inf", 3) == 0) *fault = "not finite";
    if (p[0] == '0' && p[1] != '\0' && strchr("xXoObB", p[1]) != NULL) {
        *fault = "not decimal";
        return NULL;
    }
    p = skip_digits(p);
    if (p - digits > 1 && *digits == '0') {
        *fault = "a leading zero";
        return NULL;
    }
    bool has_digit = p > digits;
    if (*p == '.') {
        const char *fraction = ++p;
        p = skip_digits(p);
        has_digit = has_digit || p > fraction;
    }
    if (!has_digit) return NULL;
    if (*p == 'e' || *p == 'E') {
        const char *exponent = p + 1 + (p[1] == '+' || p[1] == '-');
        if (skip_digits(exponent) > exponent) p = skip_digits(exponent);
    }
    return p;
}

const char *adn_number_fault(const char *s, double *out)
{
    const char *fault;
    const char *end = number_end(s, &fault);

    if (end == NULL) return fault;
    if (*end != '\0') return "text behind the number";
    double value = strtod(s, NULL);
    if (!isfinite(value)) return "not finite";
    if (value == 0 && strspn(s, "+-0.") < strcspn(s, "eE")) return "too small";
    *out = value;
    return NULL;
}

adn_status adn_value_int(const adn_value *v, const adn_node *node, int64_t lo, int64_t hi,
                         int64_t *out)
{
    double as_real = 0;

    if (node->kind != ADN_NODE_SCALAR) return adn_value_refuse(v, node, NULL);
    if (node->is_quoted) return adn_value_refuse(v, node, "a quoted text, no number");
    const char *fault = adn_number_fault(node->text, &as_real);
    if (fault != NULL) return adn_value_refuse(v, node, fault);
    if (strpbrk(node->text, ".eE") != NULL) return adn_value_refuse(v, node, "no whole number");
    errno = 0;
    long long value = strtoll(node->text, NULL, 10);
    if (errno != 0 || value < lo || value > hi) return adn_value_refuse(v, node, "out of range");
    *out = value;
    return ADN_OK;
}

adn_status adn_value_real(const adn_value *v, const adn_node *node, double *out)
{
    const adn_key *key = v->key;
    double value = 0;

    if (node->kind != ADN_NODE_SCALAR) return adn_value_refuse(v, node, NULL);
    if (node->is_quoted) return adn_value_refuse(v, node, "a quoted text, no number");
    const char *fault = adn_number_fault(node->text, &value);
    if (fault != NULL) return adn_value_refuse(v, node, fault);
    if (value < key->lo || value > key->hi || (key->is_lo_open && value == key->lo) ||
        (key->is_hi_open && value == key->hi))
        return adn_value_refuse(v, node, "out of range");
    *out = value == 0 ? 0 : value; /* no -0 */
    return ADN_OK;
}

/* The number that the node begins with; *unit is the text behind it. */
static adn_status read_measure(const adn_value *v, const adn_node *node, double *value,
                               const char **unit)
{
    char number[64];
    const char *fault;

    if (node->kind != ADN_NODE_SCALAR) return adn_value_refuse(v, node, NULL);
    const char *end = number_end(node->text, &fault);
    if (end == NULL) return adn_value_refuse(v, node, fault);
    if (*end == '\0') return adn_value_refuse(v, node, "no unit");
    if ((size_t)(end - node->text) >= sizeof(number)) return adn_value_refuse(v, node, "too long");
    memcpy(number, node->text, (size_t)(end - node->text));
    number[end - node->text] = '\0';
    fault = adn_number_fault(number, value);
    if (fault != NULL) return adn_value_refuse(v, node, fault);
    *value = *value == 0 ? 0 : *value; /* no -0 */
    *unit = end;
    return ADN_OK;
}

static bool is_in_range(const adn_key *key, double value)
{
    return value >= 0 && (value > 0 || !key->is_lo_open) && value <= 1e9;
}

static void add_measure(adn_text *canon, double value, const char *unit)
{
    if (value == floor(value)) /* 2000st, never 2e+03st */
        adn_text_add(canon, "%.0f", value);
    else
        adn_text_number(canon, value);
    adn_text_add(canon, "%s", unit);
}

adn_status adn_value_duration(const adn_value *v, const adn_node *node, adn_duration *out,
                              adn_text *canon)
{
    static const struct {
        const char *unit;
        adn_time_unit kind;
        double factor, divisor; /* 9ms is 9 / 1000, which 9 * 0.001 is not */
    } units[] = {{"ep", ADN_EPOCHS, 1, 1},     {"st", ADN_STEPS, 1, 1},
                 {"ms", ADN_SECONDS, 1, 1000}, {"s", ADN_SECONDS, 1, 1},
                 {"min", ADN_SECONDS, 60, 1},  {"h", ADN_SECONDS, 3600, 1}};
    const char *unit;
    double value = 0;

    if (node->kind == ADN_NODE_SCALAR && (v->key->units & (1u << ADN_NEVER)) &&
        strcmp(node->text, "inf") == 0) {
        *out = (adn_duration){0, ADN_NEVER};
        adn_text_add(canon, "inf");
        return ADN_OK;
    }
    adn_status st = read_measure(v, node, &value, &unit);
    if (st != ADN_OK) return st;
    for (size_t i = 0; i < ADN_COUNT(units); i++) {
        if (strcmp(unit, units[i].unit) != 0) continue;
        bool is_short = units[i].divisor > 1; /* no use for the length of a run */
        if (!(v->key->units & (1u << units[i].kind)) ||
            (is_short && v->key->type != ADN_KEY_SECONDS))
            return adn_value_refuse(v, node, "another unit");
        if (!is_in_range(v->key, value)) return adn_value_refuse(v, node, "out of range");
        if (units[i].kind == ADN_STEPS && value != floor(value))
            return adn_value_refuse(v, node, "steps are whole");
        *out = (adn_duration){value * units[i].factor / units[i].divisor, units[i].kind};
        add_measure(canon, value, unit);
        return ADN_OK;
    }
    return adn_value_refuse(v, node, "unknown unit");
}

adn_status adn_value_amount(adn_value *v, double *out)
{
    static const struct {
        adn_key_type type;
        const char *unit;
        double factor;
    } units[] = {{ADN_KEY_BITRATE, "kb/s", 1e3}, {ADN_KEY_BITRATE, "Mb/s", 1e6},
                 {ADN_KEY_BITRATE, "Gb/s", 1e9}, {ADN_KEY_BYTES, "KiB", 0x1p10},
                 {ADN_KEY_BYTES, "MiB", 0x1p20}, {ADN_KEY_BYTES, "GiB", 0x1p30}};
    const char *unit;
    double value = 0;

    if (v->node->kind == ADN_NODE_SCALAR && strcmp(v->node->text, "inf") == 0) {
        *out = 0;
        adn_text_add(&v->canon, "inf");
        return ADN_OK;
    }
    adn_status st = read_measure(v, v->node, &value, &unit);
    if (st != ADN_OK) return st;
    for (size_t i = 0; i < ADN_COUNT(units); i++) {
        if (units[i].type != v->key->type || strcmp(unit, units[i].unit) != 0) continue;
        if (!is_in_range(v->key, value)) return adn_value_refuse(v, v->node, "out of range");
        *out = value * units[i].factor;
        add_measure(&v->canon, value, unit);
        return ADN_OK;
    }
    return adn_value_refuse(v, v->node, "unknown unit");
}
