/* The smallest honest program: one line on stdout, one on stderr. */
#include <stdio.h>

int main(void) {
    puts("hello from C");
    fputs("and a word on stderr\n", stderr);
    return 0;
}
