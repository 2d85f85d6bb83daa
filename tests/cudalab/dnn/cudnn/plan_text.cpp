// The part behind the real library's: "\nlabcudnn", then a line a shadow, each behind those that it
// links to and the graph last:
//
//   type | how many values | attribute, bytes in hexadecimal... | how many links | attribute, how
//   many, numbers of lines...
#include "plan_text.h"
#include <sstream>

namespace lab
{
namespace
{
const char mark[] = "\nlabcudnn\n";

struct Writer {
    std::ostringstream out;
    std::map<ShadowPtr, size_t> lines;

    void write_values(const Shadow &shadow)
    {
        static const char digits[] = "0123456789abcdef";

        out << ' ' << shadow.values.size();
        for (const auto &value : shadow.values) {
            out << ' ' << value.first << " x"; // so that no bytes are a word, too
            for (const char byte : value.second)
                out << digits[(unsigned char)byte >> 4] << digits[byte & 15];
        }
    }

    void write_links(const Shadow &shadow)
    {
        out << ' ' << shadow.links.size();
        for (const auto &link : shadow.links) {
            out << ' ' << link.first << ' ' << link.second.size();
            for (const ShadowPtr &target : link.second) out << ' ' << lines.at(target);
        }
    }

    void write(const ShadowPtr &shadow)
    {
        if (lines.count(shadow)) return;
        for (const auto &link : shadow->links)
            for (const ShadowPtr &target : link.second) write(target);
        out << shadow->type;
        write_values(*shadow);
        write_links(*shadow);
        out << '\n';
        const size_t line = lines.size();
        lines[shadow] = line;
    }
};

void read_values(std::istream &in, Shadow &shadow)
{
    size_t count = 0;

    in >> count;
    for (size_t i = 0; in && i < count; i++) {
        int attribute = 0;
        std::string bytes;
        in >> attribute >> bytes;
        for (size_t k = 1; k + 1 < bytes.size(); k += 2)
            shadow.values[attribute].push_back((char)std::stoi(bytes.substr(k, 2), nullptr, 16));
    }
}

void read_links(std::istream &in, Shadow &shadow, const std::vector<ShadowPtr> &lines)
{
    size_t count = 0;

    in >> count;
    for (size_t i = 0; in && i < count; i++) {
        int attribute = 0;
        size_t n_target = 0, line = 0;
        in >> attribute >> n_target;
        for (size_t k = 0; in && k < n_target; k++)
            if (in >> line && line < lines.size()) shadow.links[attribute].push_back(lines[line]);
    }
}
} // namespace

std::string plan_text(const std::string &real, const ShadowPtr &graph)
{
    Writer writer;

    writer.write(graph);
    return real + mark + writer.out.str();
}

ShadowPtr graph_of_plan_text(const std::string &text, size_t &real_size)
{
    std::vector<ShadowPtr> lines;
    int type;

    real_size = text.rfind(mark);
    if (real_size == std::string::npos) return nullptr;
    std::istringstream in(text.substr(real_size + sizeof mark - 1));
    while (in >> type) {
        auto shadow = std::make_shared<Shadow>();
        shadow->type = (cudnnBackendDescriptorType_t)type;
        shadow->is_finished = true;
        read_values(in, *shadow);
        read_links(in, *shadow, lines);
        if (!in) return nullptr;
        lines.push_back(shadow);
    }
    const bool is_whole =
        !lines.empty() && lines.back()->type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR;
    return is_whole ? lines.back() : nullptr;
}
} // namespace lab
