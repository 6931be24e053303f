/* {name}: says hello, and what it was told. */
#include "nexus.h"

int main(int argc, char **argv)
{
    nx_print("Hello from {name}.\n");
    for (int i = 0; i < argc; i++) {
        nx_print("{name} was told: ");
        nx_print(argv[i]);
        nx_print("\n");
    }
    return 0;
}
