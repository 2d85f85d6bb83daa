// Splits PTX into tokens.
#include "lexer.h"

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace ptxi
{

namespace
{

bool is_name_char(char c)
{
    return isalnum(static_cast<unsigned char>(c)) || (c != '\0' && strchr("_$%.", c) != nullptr);
}

// A name's end; "::" belongs to it, a single ':' ends a label.
const char *name_end(const char *p)
{
    while (is_name_char(*p) || (p[0] == ':' && p[1] == ':')) p += *p == ':' ? 2 : 1;
    return p;
}

const char *comment_end(const char *p)
{
    const char *end = p[1] == '/' ? strchr(p, '\n') : strstr(p + 2, "*/");
    if (end == nullptr) return p + strlen(p);
    return p[1] == '/' ? end : end + 2;
}

const char *string_end(const char *p)
{
    const char *end = strchr(p + 1, '"');
    return end ? end + 1 : p + strlen(p);
}

} // namespace

std::vector<Token> tokenize(const char *ptx)
{
    std::vector<Token> tokens;
    int line = 1;
    for (const char *p = ptx, *end; *p != '\0'; p = end) {
        bool is_token = true;
        if (isspace(static_cast<unsigned char>(*p))) {
            end = p + 1;
            is_token = false;
        } else if (p[0] == '/' && (p[1] == '/' || p[1] == '*')) {
            end = comment_end(p);
            is_token = false;
        } else if (*p == '"') {
            end = string_end(p);
        } else {
            end = is_name_char(*p) ? name_end(p) : p + 1;
        }
        if (is_token) tokens.push_back({std::string(p, end), line});
        for (const char *c = p; c < end; c++) line += *c == '\n';
    }
    return tokens;
}

const std::string &Tokens::current() const
{
    static const std::string end = "<end>";
    return at_end() ? end : tokens[at].text;
}

const std::string &Tokens::following() const
{
    static const std::string end = "<end>";
    return at + 1 < tokens.size() ? tokens[at + 1].text : end;
}

int Tokens::line() const
{
    if (tokens.empty()) return 0;
    return at_end() ? tokens.back().line : tokens[at].line;
}

std::string Tokens::next()
{
    if (at_end()) fail("unexpected end");
    return tokens[at++].text;
}

bool Tokens::accept(const char *text)
{
    if (current() != text) return false;
    at++;
    return true;
}

void Tokens::expect(const char *text)
{
    if (!accept(text)) fail(std::string("expected ") + text + ", got " + current());
}

size_t Tokens::next_number()
{
    uint64_t value;
    std::string text = next();
    if (!parse_number(text, &value)) fail("expected a number, got " + text);
    return value;
}

void Tokens::skip_past(const char *text)
{
    while (next() != text) continue;
}

std::string Tokens::text_since(size_t begin) const
{
    std::string text;
    for (size_t i = begin; i < at; i++) {
        bool is_spaced = i > begin && tokens[i].text != "," && tokens[i].text != ";";
        text += (is_spaced ? " " : "") + tokens[i].text;
    }
    return text;
}

void Tokens::fail(const std::string &what) const
{
    throw std::runtime_error("ptxi: PTX line " + std::to_string(line()) + ": " + what);
}

bool parse_number(const std::string &text, uint64_t *bits)
{
    if (text.empty() || !isdigit(static_cast<unsigned char>(text[0]))) return false;
    bool is_float = (text.size() == 10 && (text[1] == 'f' || text[1] == 'F')) ||
                    (text.size() == 18 && (text[1] == 'd' || text[1] == 'D'));
    *bits = is_float ? strtoull(text.c_str() + 2, nullptr, 16) : strtoull(text.c_str(), nullptr, 0);
    return true;
}

} // namespace ptxi
