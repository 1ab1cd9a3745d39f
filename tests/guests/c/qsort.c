/* The C library's qsort over structures, three orders in turn: one call_indirect for each comparison. Argument: rounds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 20000 };

struct record {
    uint32_t key;
    int32_t weight;
};

static int by_key(const void *left, const void *right) {
    const struct record *a = left, *b = right;
    return (a->key > b->key) - (a->key < b->key);
}

static int by_weight(const void *left, const void *right) {
    const struct record *a = left, *b = right;
    int order = (a->weight > b->weight) - (a->weight < b->weight);
    return order ? order : by_key(left, right);
}

static int backwards(const void *left, const void *right) {
    return by_key(right, left);
}

int main(int argc, char **argv) {
    static struct record records[COUNT];
    int (*const orders[])(const void *, const void *) = {by_key, by_weight, backwards};
    int rounds = argc > 1 ? atoi(argv[1]) : 30;
    uint32_t state = 2463534242u;
    uint64_t checksum = 0;

    for (int round = 0; round < rounds; round++) {
        for (int index = 0; index < COUNT; index++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            records[index].key = state;
            records[index].weight = (int32_t)(state >> 7) % 1000;
        }
        qsort(records, COUNT, sizeof *records, orders[round % 3]);
        for (int index = 0; index < COUNT; index += 101) checksum = checksum * 31 + records[index].key;
    }
    printf("qsort %d %016llx\n", rounds, (unsigned long long)checksum);
    return 0;
}
