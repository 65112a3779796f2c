// What the core calls when it can't go on: the two functions of libc++ and libc++abi that print a reason and
// abort. Theirs pull in printf and the demangler, 40 KB and the imports that write to a terminal; these trap.

#include <__verbose_abort>

[[noreturn]] void std::__libcpp_verbose_abort(const char* /*format*/, ...) { __builtin_trap(); }

extern "C" [[noreturn]] void abort_message(const char* /*format*/, ...) { __builtin_trap(); }

// wasi-libc's writes a line and leaves the process; a browser has neither.
extern "C" [[noreturn]] void abort() { __builtin_trap(); }
