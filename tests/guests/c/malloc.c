/*
 * Allocates, writes, checks and frees blocks of many sizes, then takes memory until there is none, frees it and goes on:
 * running out has to look like NULL, not like a trap.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 512, ROUNDS = 20000, MEBI = 1 << 20 };

struct hog {
    struct hog *next;
};

static uint32_t state = 12345;

static uint32_t next(void) {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

int main(void) {
    static unsigned char *blocks[SLOTS];
    static size_t sizes[SLOTS];
    struct hog *hogs = NULL, *hog;
    unsigned damaged = 0, taken = 0, again = 0;

    for (int round = 0; round < ROUNDS; round++) {
        unsigned slot = next() % SLOTS;
        if (blocks[slot]) {
            for (size_t at = 0; at < sizes[slot]; at += 61) damaged += blocks[slot][at] != (unsigned char)slot;
            free(blocks[slot]);
            blocks[slot] = NULL;
        } else {
            sizes[slot] = 1 + next() % (next() % 16 ? 2000 : 60000);
            blocks[slot] = malloc(sizes[slot]);
            if (!blocks[slot]) return puts("out of memory too early"), 1;
            memset(blocks[slot], (int)slot, sizes[slot]);
        }
    }
    for (unsigned slot = 0; slot < SLOTS; slot++) free(blocks[slot]);

    while ((hog = malloc(MEBI)) != NULL) {
        hog->next = hogs;
        hogs = hog;
        taken++;
    }
    while (hogs) {
        hog = hogs->next;
        free(hogs);
        hogs = hog;
    }
    while (again < taken / 2 && (hog = malloc(MEBI)) != NULL) {
        hog->next = hogs;
        hogs = hog;
        again++;
    }
    printf("damaged %u, took %u MiB, then half again: %s\n", damaged, taken, again == taken / 2 ? "yes" : "no");
    return damaged != 0;
}
