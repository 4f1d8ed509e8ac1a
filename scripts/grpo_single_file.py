"""GRPO on a turnwise environment in one linear file: torch, transformers, gymnasium, nothing else.

    python scripts/grpo_single_file.py                       # a tiny random model, seconds a step
    python scripts/grpo_single_file.py --model Qwen/Qwen2.5-0.5B-Instruct --device cuda

It shows that the environments serve code that is not ours, and it is meant to be read from top to
bottom and changed. The trainers in `turnwise_agents` do the same with a cache that lives across
turns, checkpoints, and credit per turn. Shao et al. 2024, DeepSeekMath, arXiv:2402.03300.
"""

import argparse
import re
from collections import Counter

import gymnasium as gym
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

import turnwise_envs

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--env", default="turnwise/HouseholdSmall-v0")
parser.add_argument("--model", default="", help="Hugging Face folder or hub id; empty: tiny")
parser.add_argument("--device", default="cpu")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--warm-steps", type=int, default=200, help="supervised steps (tiny model)")
parser.add_argument("--iterations", type=int, default=20)
parser.add_argument("--tasks", type=int, default=4, help="groups per iteration")
parser.add_argument("--group-size", type=int, default=8, help="episodes per task")
parser.add_argument("--max-turns", type=int, default=15)
parser.add_argument("--max-new-tokens", type=int, default=12)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--update-epochs", type=int, default=2)
parser.add_argument("--clip-ratio", type=float, default=0.2)
args = parser.parse_args()
torch.set_num_threads(1)  # two threads are far slower when another process wants a core
sampling_rng = torch.Generator(device=args.device).manual_seed(args.seed)
task_rng = torch.Generator().manual_seed(args.seed)


# 1. The policy: any chat model; or a word-level tokenizer and a model of two layers.


class WordTokenizer:
    """Words with their number ("cabinet 1") are one token; what is unknown becomes id 0."""

    END, ASSISTANT = 1, 2

    def __init__(self, texts):
        words = Counter(word for text in texts for word in self.split(text))
        self.words = ["<unk>", "<end>", "<assistant>", *sorted(words)]
        self.ids = {word: i for i, word in enumerate(self.words)}

    def split(self, text):
        return re.findall(r"[a-z]+ \d+|\w+|[^\w\s]", text)

    def encode(self, text):
        return [self.ids.get(word, 0) for word in self.split(text)]

    def decode(self, ids):
        return " ".join(self.words[i] for i in ids if i > 2)

    def opening(self, observation):
        return [*self.encode(observation), self.ASSISTANT]

    def delta(self, observation):
        return [*self.encode(observation), self.ASSISTANT]


class ChatTokenizer:
    """A checkpoint's own tokenizer and chat template."""

    def __init__(self, name, system):
        self.tokenizer = AutoTokenizer.from_pretrained(name)
        self.system = system
        self.END = self.tokenizer.eos_token_id

    def encode(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def decode(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def opening(self, observation):
        messages = [
            {"role": "system", "content": self.system},
            {"role": "user", "content": observation},
        ]
        return list(
            self.tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_dict=False
            )
        )

    def delta(self, observation):
        # What the template puts between one answer's end and the next answer's start.
        messages = [
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "ANSWER"},
            {"role": "user", "content": observation},
        ]
        text = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        after = text.split("ANSWER", 1)[1].removeprefix(self.tokenizer.eos_token)
        return self.encode(after)


def make_env():
    return gym.make(args.env, split="train", max_turns=args.max_turns)


env = make_env()
if args.model:
    world = env.unwrapped
    tokenizer = ChatTokenizer(args.model, f"{world.instruction}\n\n{world.grammar}")
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
else:
    texts = set()
    for index in range(200):
        observation, info = env.reset(options={"task_index": index})
        over = False
        while not over:
            texts.update([observation, *(info["admissible_actions"] or [])])
            action = env.unwrapped.expert_action()
            observation, _, terminated, truncated, info = env.step(action)
            over = terminated or truncated
    tokenizer = WordTokenizer(texts)
    torch.manual_seed(args.seed)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer.words),
            hidden_size=64,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            tie_word_embeddings=True,
            initializer_range=0.08,
        )
    )
model.to(args.device).eval()  # no dropout: the ratio of unchanged weights must be 1
optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.0)


# 2. Scoring: log-probability of every token given the ones before it.


def logprobs_of(rows):
    """rows: lists of ids -> [B, L] log-probabilities; position t is that of token t."""
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long, device=args.device)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    logits = model(input_ids=ids).logits.float()  # right padding: no real token sees it
    logprobs = torch.log_softmax(logits[:, :-1], -1).gather(-1, ids[:, 1:, None]).squeeze(-1)
    return torch.nn.functional.pad(logprobs, (1, 0))


def padded(rows):
    longest = max(map(len, rows))
    values = torch.tensor([row + [0.0] * (longest - len(row)) for row in rows])
    return values.to(args.device)


# 3. Rollouts: all episodes of an iteration in step; each keeps ids and a mask of its own tokens.


@torch.no_grad()
def complete(prompts):
    """Samples one completion per prompt, all prompts in one batch."""
    completions = [[] for _ in prompts]
    for _ in range(args.max_new_tokens):
        open_rows = [i for i, c in enumerate(completions) if tokenizer.END not in c[-1:]]
        if not open_rows:
            break
        rows = [prompts[i] + completions[i] for i in open_rows]
        longest = max(map(len, rows))
        ids = torch.zeros(len(rows), longest, dtype=torch.long, device=args.device)
        for k, row in enumerate(rows):
            ids[k, : len(row)] = torch.tensor(row)
        ends = torch.tensor([len(row) - 1 for row in rows], device=args.device)
        hidden = model(input_ids=ids, logits_to_keep=ends.unique()).logits
        column = torch.searchsorted(ends.unique(), ends)
        last = hidden[torch.arange(len(rows), device=args.device), column].float()
        drawn = torch.multinomial(last.softmax(-1), 1, generator=sampling_rng)
        for i, token in zip(open_rows, drawn.squeeze(-1).tolist(), strict=True):
            completions[i].append(token)
    return completions


def play(task_indices):
    """Plays one episode per entry; returns ids, masks and returns, in order."""
    envs = [make_env() for _ in task_indices]
    ids, masks, returns, live = [], [], [0.0] * len(envs), set(range(len(envs)))
    for one, index in zip(envs, task_indices, strict=True):
        observation, _ = one.reset(options={"task_index": index})
        ids.append(tokenizer.opening(observation))
        masks.append([0.0] * len(ids[-1]))
    while live:
        order = sorted(live)
        for i, completion in zip(order, complete([ids[i] for i in order]), strict=True):
            ids[i] += completion
            masks[i] += [1.0] * len(completion)
            text = tokenizer.decode([t for t in completion if t != tokenizer.END])
            observation, reward, terminated, truncated, _ = envs[i].step(text)
            returns[i] += float(reward)
            if terminated or truncated:
                live.discard(i)
            else:
                more = tokenizer.delta(observation)
                ids[i] += more
                masks[i] += [0.0] * len(more)
    return ids, masks, returns


# 4. A warm start for the tiny model: imitate a demonstrator that searches as an agent must.


def demonstrate(index):
    observation, _ = env.reset(seed=index, options={"task_index": index})
    ids, mask, over = tokenizer.opening(observation), [], False
    mask = [0.0] * len(ids)
    while not over:
        action = env.unwrapped.demonstration_action(env.unwrapped.np_random)
        spoken = [*tokenizer.encode(action), tokenizer.END]
        observation, _, terminated, truncated, _ = env.step(action)
        over = terminated or truncated
        more = [] if over else tokenizer.delta(observation)
        ids += spoken + more
        mask += [1.0] * len(spoken) + [0.0] * len(more)
    return ids, mask


num_tasks = len(turnwise_envs.tasks(args.env, "train"))
if not args.model:
    for _ in range(args.warm_steps):
        drawn = torch.randint(num_tasks, (16,), generator=task_rng).tolist()
        rows, masks = zip(*(demonstrate(index) for index in drawn), strict=True)
        mask = padded(masks)
        loss = -(logprobs_of(rows) * mask).sum() / mask.sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

# 5. GRPO: compare the episodes of a group, push their tokens by the clipped ratio.

for iteration in range(args.iterations):
    drawn = torch.randint(num_tasks, (args.tasks,), generator=task_rng).tolist()
    rows, masks, returns = play([index for index in drawn for _ in range(args.group_size)])
    grouped = torch.tensor(returns).view(args.tasks, args.group_size)
    advantages = (grouped - grouped.mean(1, keepdim=True)) / (grouped.std(1, keepdim=True) + 1e-6)
    advantages = advantages.view(-1, 1).to(args.device)  # [B, 1]: all tokens of an episode share it
    mask = padded(masks)
    with torch.no_grad():
        old_logprobs = logprobs_of(rows)
    for _ in range(args.update_epochs):
        ratio = (logprobs_of(rows) - old_logprobs).exp()
        clipped = ratio.clamp(1 - args.clip_ratio, 1 + args.clip_ratio)
        surrogate = torch.minimum(ratio * advantages, clipped * advantages)
        loss = -(surrogate * mask).sum() / mask.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    success = sum(value > 0 for value in returns) / len(returns)
    print(f"iteration {iteration}: success {success:.2f}, loss {float(loss.detach()):.4f}")
