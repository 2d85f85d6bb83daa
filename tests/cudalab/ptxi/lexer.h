// PTX as tokens, and a cursor over them that says where it is when something is wrong.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace ptxi
{

struct Token {
    std::string text; // names keep their dots: "ld.global.f32" is one token
    int line;
};

std::vector<Token> tokenize(const char *ptx);

class Tokens
{
  public:
    explicit Tokens(const char *ptx) : tokens(tokenize(ptx))
    {
    }

    bool at_end() const
    {
        return at >= tokens.size();
    }
    const std::string &current() const; // "<end>" at the end
    const std::string &following() const;
    int line() const;
    std::string next();
    bool accept(const char *text); // steps over it if it is next
    void expect(const char *text);
    size_t next_number(); // a whole number that is not negative
    void skip_past(const char *text);
    std::string text_since(size_t begin) const; // for messages
    size_t position() const
    {
        return at;
    }
    [[noreturn]] void fail(const std::string &what) const; // with the PTX line

  private:
    std::vector<Token> tokens;
    size_t at = 0;
};

// A number as PTX writes it: 12, 0x1f, 0f3F800000 (fp32 bits), 0d... (fp64 bits). False: it is
// none.
bool parse_number(const std::string &text, uint64_t *bits);

} // namespace ptxi
