// `cuda_bench model FOLDER PROMPT GEN DEPTH [card_mb=N] [cards=N] [distinct=N] [chunk=N]`: a
// checkpoint on the card, read and decoded.
#pragma once

// card_mb: of a card's memory, for weights; cards: split over so many; distinct: how many different
// tokens the text has, few for text that chooses few experts; chunk: tokens read in one step.
int model_bench(int argc, char** argv);
