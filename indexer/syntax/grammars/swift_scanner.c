// The scanner of tree-sitter-swift as it is, but its state has room: it asks for no elements and
// writes one.
#include <stdlib.h>
#define calloc(count, size) calloc((count) == 0 ? 1 : (count), size)
#include "scanner.c"
