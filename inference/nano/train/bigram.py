"""A start for embedding and head: the best log-bilinear bigram model through the final norm.

With every sublayer silent (their last matrices start at zero) the network computes
head . normed(embed[id]): fitting just that to the bigram counts of some million tokens takes a minute
and saves the first hour of training on a small machine.
"""

import random

import torch
import torch.nn.functional as F

from documents import Corpus
from model import Model, normed
from tokenizer import Tokenizer


def count(corpus: Corpus, tokenizer: Tokenizer, vocab: int, tokens: int) -> torch.Tensor:
    """Counts [vocab, vocab] of (id, next id)."""
    rng, pairs = random.Random(23), []
    while tokens > 0:
        project, index = corpus.draw(rng)
        text = project.files[index][1]
        at = rng.randrange(max(1, len(text) - 5000))
        ids = torch.tensor(tokenizer.encode(text[at:at + 5000]), dtype=torch.long)
        pairs.append(ids[:-1] * vocab + ids[1:])
        tokens -= len(ids)
    return torch.cat(pairs).bincount(minlength=vocab * vocab).float().view(vocab, vocab)


def fit(model: Model, counts: torch.Tensor, rounds: int) -> float:
    """Fits and installs embed and head, silences the sublayers; the fitted loss in nats. All on counts' device."""
    share = counts.sum(1) / counts.sum()
    used = share.nonzero().flatten()
    target = (counts[used] / counts[used].sum(1, keepdim=True))
    share = share[used, None]
    unigram = (counts.sum(0) + 0.5).log()
    width = model.c.hidden_size
    # The first coordinate carries the unigram, the others what the context adds to it.
    embed = torch.randn(model.c.vocab_size, width, device=counts.device) * 0.5
    embed[:, 0] = 3.0
    head = torch.randn(model.c.vocab_size, width, device=counts.device) * 0.02
    head[:, 0] = (unigram - unigram.mean()) / normed(embed, 1e-6)[:, 0].mean()
    embed.requires_grad_()
    head.requires_grad_()
    adam = torch.optim.Adam([embed, head], 0.05, betas=(0.9, 0.95))
    loss = torch.zeros(())
    for i in range(rounds):
        adam.param_groups[0]["lr"] = 0.05 * (1 - i / rounds) + 0.002
        logp = F.linear(normed(embed[used], 1e-6), head).log_softmax(-1)
        # A little smoothing: counts of a rare context say little about it.
        loss = -(share * target * logp).sum() - 0.01 * (share * logp).mean(1).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        model.embed.weight.copy_(normed(embed, 1e-6))
        model.head.weight.copy_(head)
        for block in [*model.layers, *model.mtp]:
            for silent in [block.attn.wo_b, block.ffn.shared_experts.w2, *(e.w2 for e in block.ffn.experts)]:
                silent.weight.zero_()
    return loss.item()


def start(model: Model, corpus: Corpus, tokenizer: Tokenizer, tokens: int, rounds: int) -> float:
    return fit(model, count(corpus, tokenizer, model.c.vocab_size, tokens), rounds)
