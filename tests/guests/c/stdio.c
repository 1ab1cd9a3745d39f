/*
 * Buffered file I/O through the C library, in the directory given as argument: every step is checked, and the program ends with
 * the number of the first step that failed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[256], other[256];

static int step(int number, int held) {
    if (!held) {
        printf("step %d failed: %s\n", number, strerror(errno));
    }
    return held;
}

int main(int argc, char **argv) {
    const char *directory = argc > 1 ? argv[1] : ".";
    char line[64] = "";
    struct stat stat_buffer;
    FILE *file;
    int count = 0;

    snprintf(path, sizeof path, "%s/numbers.txt", directory);
    snprintf(other, sizeof other, "%s/renamed.txt", directory);

    if (!step(1, (file = fopen(path, "w+")) != NULL)) return 1;
    for (int number = 0; number < 1000; number++) {
        if (fprintf(file, "line %d\n", number) < 0) return step(2, 0), 2;
    }
    if (!step(3, fflush(file) == 0 && ftell(file) == 8890)) return 3;
    if (!step(4, fseek(file, -9, SEEK_END) == 0 && fgets(line, sizeof line, file) && !strcmp(line, "line 999\n"))) return 4;
    rewind(file);
    while (fgets(line, sizeof line, file)) count++;
    if (!step(5, count == 1000 && feof(file) && !ferror(file))) return 5;
    if (!step(6, fclose(file) == 0)) return 6;
    if (!step(7, (file = fopen(path, "a")) && fputs("the end\n", file) >= 0 && fclose(file) == 0)) return 7;
    if (!step(8, stat(path, &stat_buffer) == 0 && stat_buffer.st_size == 8898 && S_ISREG(stat_buffer.st_mode))) return 8;
    if (!step(9, rename(path, other) == 0 && stat(path, &stat_buffer) != 0 && errno == ENOENT)) return 9;
    if (!step(10, truncate(other, 7) == 0 && stat(other, &stat_buffer) == 0 && stat_buffer.st_size == 7)) return 10;
    if (!step(11, (file = fopen(other, "r")) && fread(line, 1, sizeof line, file) == 7 && fclose(file) == 0)) return 11;
    if (!step(12, remove(other) == 0 && fopen(other, "r") == NULL && errno == ENOENT)) return 12;
    puts("all 12 steps");
    return 0;
}
