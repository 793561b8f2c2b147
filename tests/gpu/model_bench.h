// `cuda_bench model FOLDER PROMPT GEN DEPTH [card_mb=N] [distinct=N] [chunk=N]`: a checkpoint on
// the card, read and decoded.
#pragma once

// card_mb: of the card's memory, for weights; distinct: how many different tokens the text has, few
// for text that chooses few experts; chunk: tokens read in one step.
int model_bench(int argc, char** argv);
