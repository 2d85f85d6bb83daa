// Runs a single instruction of PTX in the interpreter, without the runtime.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

struct Row {
    const char
        *instruction; // %d is what it writes, %a %b %c are what it reads, %p and %q are predicates
    uint64_t a, b, c;
    uint64_t expected; // of %d
};

void check_rows(const std::vector<Row> &rows);

// What is said of a body that the interpreter must refuse to load; "it was accepted" otherwise.
std::string refusal_of(const std::string &body);

uint64_t bits(float value);
uint64_t bits(double value);
