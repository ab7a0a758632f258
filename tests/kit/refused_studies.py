"""Parameter files that are refused, each with the whole message.

Offers: :data:`REFUSED`, what a file holds and what is said, without the file's name.
"""

from __future__ import annotations

KEYS = (
    "article, budget, checkpoint, confirm, design, device, evaluate_every, figures, grid, "
    "last_batch, margin, name, order, output, plugins, precision, range_test, replay, seeds, "
    "split, target, throughput, trace_every, validation, workloads"
)
NAME = "letters, digits, '.', '_' and '-', at most 64, a letter or digit first"
FILE_NAME = f"is no file name; choose {NAME}"
NOTHING = "is empty; give it a value or remove the key"
RATES = "is no list of rates, {log: [low, high, n]} or one of these for each optimizer"
TRUTH = "True is true or false; give a number"
CONFIRMED = "is neither false nor {cells: 20, seeds: 20}"
OFTEN = "is neither false nor a number of seconds above 0, such as 60"
ABOVE = "is out of range; choose a number above 0"

# What a file holds, and the whole message without the file's name.
REFUSED: list[tuple[str, str]] = [
    # keys that are not known, at every level
    ("wrkloads: [digits-mlp]", "unknown 'wrkloads'; did you mean 'workloads'?"),
    ("colour: red", f"unknown 'colour'; choose from: {KEYS}"),
    ("3: 4", f"unknown 3; choose from: {KEYS}"),
    ("true: 4", f"unknown True; choose from: {KEYS}"),
    ("lr: [0.1]", "unknown 'lr'; did you mean grid.lr?"),
    ("optimizers: [sgd]", "unknown 'optimizers'; did you mean grid.optimizer?"),
    ("seed: 2", "unknown 'seed'; did you mean 'seeds'?"),
    ("design: {methd: tpe, trials: 5}", "design: unknown 'methd'; did you mean 'method'?"),
    ("confirm: true", f"confirm: True {CONFIRMED}"),
    ("confirm: 20", f"confirm: 20 {CONFIRMED}"),
    ("confirm: {cell: 20}", "confirm: unknown 'cell'; did you mean 'cells'?"),
    ("confirm: {cells: 0}", f"confirm.cells: 0 {ABOVE}"),
    ("confirm: {seeds: 1}", "confirm.seeds: 1 is out of range; choose 2 or more"),
    ("confirm: {cells: 2.5}", "confirm.cells: 2.5 is no whole number"),
    ("confirm: null", f"confirm: {NOTHING}"),
    ("checkpoint: soon", f"checkpoint: 'soon' {OFTEN}"),
    ("checkpoint: true", f"checkpoint: True {OFTEN}"),
    ("checkpoint: [60]", f"checkpoint: [60] {OFTEN}"),
    ("checkpoint: 0", f"checkpoint: 0 {ABOVE}"),
    ("margin: 0", f"margin: 0 {ABOVE}"),
    ("margin: small", "margin: 'small' is no number"),
    ("throughput: false", "throughput: False is no mapping; write {enabled: false}"),
    ("grid: {optimzer: [sgd]}", "grid: unknown 'optimzer'; did you mean 'optimizer'?"),
    ("grid: {7: [sgd]}", "grid: unknown 7; choose from: batch_size, lr, optimizer, schedule"),
    ("budget: {epoch: 3}", "budget: unknown 'epoch'; did you mean 'epochs'?"),
    ("throughput: {blocks: 3}", "throughput: unknown 'blocks'; did you mean 'block'?"),
    ("grid: {lr: {log: [1, 2, 3], lo: 1}}", "grid.lr: unknown 'lo'; did you mean 'log'?"),
    (
        "grid: {lr: {sgd: {log: [1, 2, 3], base: 1}}}",
        "grid.lr.sgd: unknown 'base'; choose from: log",
    ),
    # names
    ("grid: {batch_size: [ful]}", "grid.batch_size[0]: unknown 'ful'; did you mean 'full'?"),
    ("device: gpu", "device: unknown 'gpu'; did you mean 'cuda'?"),
    ("device: GPU", "device: unknown 'GPU'; did you mean 'cuda'?"),
    ("device: cuda:0", "device: unknown 'cuda:0'; did you mean 'cuda'?"),
    ("device: mps", "device: unknown 'mps'; choose from: auto, cpu, cuda"),
    ("precision: fp16", "precision: unknown 'fp16'; did you mean 'bf16'?"),
    ("precision: float32", "precision: unknown 'float32'; did you mean 'fp32'?"),
    ("precision: 16", "precision: unknown 16; did you mean 'bf16'?"),
    ("learning_rate: [0.1]", "unknown 'learning_rate'; did you mean grid.lr?"),
    ("batch: [16]", "unknown 'batch'; did you mean grid.batch_size?"),
    ("scheduler: [cosine]", "unknown 'scheduler'; did you mean grid.schedule?"),
    ("epochs: 5", "unknown 'epochs'; did you mean budget.epochs?"),
    ("dataset: digits", "unknown 'dataset'; did you mean 'workloads'?"),
    ("val_split: 0.1", "unknown 'val_split'; did you mean 'validation'?"),
    ("grid: {learning_rate: [0.1]}", "grid: unknown 'learning_rate'; did you mean 'lr'?"),
    ("grid: {bs: [16]}", "grid: unknown 'bs'; did you mean 'batch_size'?"),
    ("last_batch: droop", "last_batch: unknown 'droop'; did you mean 'drop'?"),
    ("order: random", "order: unknown 'random'; choose from: fixed, shuffle"),
    ("device: 3", "device: unknown 3; choose from: auto, cpu, cuda"),
    ("device: null", "device: unknown None; choose from: auto, cpu, cuda"),
    ("name: a b", f"name: 'a b' {FILE_NAME}"),
    ("name: ../x", f"name: '../x' {FILE_NAME}"),
    ("name: ''", f"name: '' {FILE_NAME}"),
    ("name: 3", "name: 3 is no text; put it in quotes"),
    ("name: 2024-01-01", "name: 2024-01-01 is no text; put it in quotes"),
    ("output: ''", "output: is empty; give at least one value"),
    ("output: 3", "output: 3 is no text; put it in quotes"),
    ("grid: {optimizer: [{name: sgd, label: a/b}]}", f"grid.optimizer[0].label: 'a/b' {FILE_NAME}"),
    (
        "grid: {optimizer: [sgd, {name: sgd, label: 3}]}",
        "grid.optimizer[1].label: 3 is no text; put it in quotes",
    ),
    # searches
    ("design: 3", "design: 3 is neither grid nor {method: ..., trials: ...}"),
    ("design: gird", "design: 'gird' is unknown; did you mean 'grid'?"),
    (
        "design: TPE",
        "design: 'TPE' alone says not how many; write {method: tpe, trials: 60}",
    ),
    ("design: {method: grid}", "design: {'method': 'grid'} is no search; write design: grid"),
    ("design: {method: tpe}", "design: {'method': 'tpe'} needs the key 'trials'"),
    ("design: {method: tep, trials: 9}", "design.method: unknown 'tep'; did you mean 'tpe'?"),
    (
        "design: {method: gp, trials: 9, round: 2}",
        "design: unknown 'round'; did you mean 'rounds'?",
    ),
    ("design: {method: gp, trials: 0}", f"design.trials: 0 {ABOVE}"),
    (
        "design: {method: gp, trials: 2, rounds: 3}",
        "design: {'method': 'gp', 'trials': 2, 'rounds': 3} has more rounds than trials; choose "
        "fewer rounds",
    ),
    ("replay: {margin: 0}", f"replay.margin: 0 {ABOVE}"),
    # empty
    ("workloads: []", "workloads: is empty; give at least one value"),
    ("seeds: []", "seeds: is empty; give at least one value"),
    ("grid: {optimizer: []}", "grid.optimizer: is empty; give at least one value"),
    ("grid: {batch_size: []}", "grid.batch_size: is empty; give at least one value"),
    ("grid: {lr: []}", "grid.lr: is empty; give at least one value"),
    ("grid: {lr: {sgd: []}}", "grid.lr.sgd: is empty; give at least one value"),
    ("grid: {schedule: []}", "grid.schedule: is empty; give at least one value"),
    ("grid:", f"grid: {NOTHING}"),
    ("budget:", f"budget: {NOTHING}"),
    ("throughput:", f"throughput: {NOTHING}"),
    ("seeds:", f"seeds: {NOTHING}"),
    ("name:", f"name: {NOTHING}"),
    ("grid: {lr: }", f"grid.lr: {NOTHING}"),
    ("grid: {lr: {sgd: }}", f"grid.lr.sgd: {NOTHING}"),
    ("grid: {lr: {log: }}", f"grid.lr.log: {NOTHING}"),
    ("grid: {batch_size: [16, null]}", f"grid.batch_size[1]: {NOTHING}"),
    # the same twice
    ("workloads: [a, a]", "workloads: ['a', 'a'] names 'a' twice; remove one"),
    ("plugins: [a.py, a.py]", "plugins: ['a.py', 'a.py'] names 'a.py' twice; remove one"),
    ("seeds: [1, 2, 1]", "seeds: [1, 2, 1] names 1 twice; remove one"),
    ("grid: {batch_size: [16, 16]}", "grid.batch_size: [16, 16] names 16 twice; remove one"),
    ("grid: {batch_size: [16, '16']}", "grid.batch_size: [16, '16'] names 16 twice; remove one"),
    ("grid: {lr: [0.1, 1e-1]}", "grid.lr: [0.1, '1e-1'] names 0.1 twice; remove one"),
    ("grid: {lr: {sgd: [1, 1.0]}}", "grid.lr.sgd: [1, 1.0] names 1.0 twice; remove one"),
    # numbers that are none, or out of range
    ("grid: {batch_size: [0]}", f"grid.batch_size[0]: 0 {ABOVE}"),
    ("grid: {batch_size: [16, -1]}", f"grid.batch_size[1]: -1 {ABOVE}"),
    ("grid: {batch_size: [1.5]}", "grid.batch_size[0]: 1.5 is no whole number"),
    ("grid: {batch_size: [.nan]}", "grid.batch_size[0]: nan is no finite number"),
    ("grid: {batch_size: [.inf]}", "grid.batch_size[0]: inf is no finite number"),
    ("grid: {batch_size: [true]}", f"grid.batch_size[0]: {TRUTH}"),
    ("grid: {batch_size: [big]}", "grid.batch_size[0]: 'big' is no number"),
    ("grid: {batch_size: [[16]]}", "grid.batch_size[0]: [16] is no whole number"),
    ("grid: {lr: [0]}", f"grid.lr[0]: 0 {ABOVE}"),
    ("grid: {lr: [0.1, -0.1]}", f"grid.lr[1]: -0.1 {ABOVE}"),
    ("grid: {lr: [.nan]}", "grid.lr[0]: nan is no finite number"),
    ("grid: {lr: [nan]}", "grid.lr[0]: 'nan' is no finite number"),
    ("grid: {lr: [-.inf]}", "grid.lr[0]: -inf is no finite number"),
    ("grid: {lr: [1e400]}", "grid.lr[0]: '1e400' is no finite number"),
    ("grid: {lr: [true]}", f"grid.lr[0]: {TRUTH}"),
    ("grid: {lr: [small]}", "grid.lr[0]: 'small' is no number"),
    ("grid: {lr: [2024-01-01]}", "grid.lr[0]: 2024-01-01 is no number"),
    ("grid: {lr: [[0.1]]}", "grid.lr[0]: [0.1] is no number"),
    ("grid: {lr: {adam: [0]}}", f"grid.lr.adam[0]: 0 {ABOVE}"),
    ("budget: {epochs: 0}", f"budget.epochs: 0 {ABOVE}"),
    (
        "budget: {epochs: 0.01}",
        "budget.epochs: 0.01 is no whole number; to train a part of one, write {steps: n}",
    ),
    ("budget: {steps: 1.5}", "budget.steps: 1.5 is no whole number"),
    ("budget: {steps: true}", f"budget.steps: {TRUTH}"),
    ("seeds: 0", f"seeds: 0 {ABOVE}"),
    ("seeds: 20000", "seeds: 20000 is out of range; choose 10000 or less"),
    ("seeds: 1.5", "seeds: 1.5 is no whole number"),
    ("seeds: true", f"seeds: {TRUTH}"),
    ("seeds: many", "seeds: 'many' is no number"),
    ("seeds: {a: 1}", "seeds: {'a': 1} is no whole number"),
    ("seeds: [0, -1]", "seeds[1]: -1 is out of range; choose 0 or more"),
    ("seeds: [a]", "seeds[0]: 'a' is no number"),
    ("validation: 1", "validation: 1 is out of range; choose a number below 1"),
    ("validation: -0.1", "validation: -0.1 is out of range; choose 0 or more"),
    ("validation: .nan", "validation: nan is no finite number"),
    ("validation: true", f"validation: {TRUTH}"),
    ("validation: half", "validation: 'half' is no number"),
    ("validation: [0.2]", "validation: [0.2] is no number"),
    (
        "range_test: {low: 1, high: 1.0000000000001}",
        "range_test: {'low': 1, 'high': 1.0000000000001} cannot rise from 1.0 to 1.0000000000001; "
        "choose other ends",
    ),
    (
        "range_test: {low: 1e-300, high: 1e+300}",
        "range_test: {'low': '1e-300', 'high': '1e+300'} cannot rise from 1e-300 to 1e+300; "
        "choose other ends",
    ),
    ("evaluate_every: 0", f"evaluate_every: 0 {ABOVE}"),
    ("evaluate_every: .inf", "evaluate_every: inf is no finite number"),
    ("evaluate_every: false", "evaluate_every: False is true or false; give a number"),
    ("target: {digits-mlp: .nan}", "target.digits-mlp: nan is no finite number"),
    ("target: {digits-mlp: high}", "target.digits-mlp: 'high' is no number"),
    ("throughput: {within: 0}", f"throughput.within: 0 {ABOVE}"),
    ("throughput: {within: 1}", "throughput.within: 1 is out of range; choose a number below 1"),
    ("throughput: {patience: 0}", f"throughput.patience: 0 {ABOVE}"),
    ("range_test: {step: 3}", "range_test: unknown 'step'; did you mean 'steps'?"),
    (
        "range_test: {steps: 29}",
        "range_test.steps: 29 is out of range; choose 30 or more",
    ),
    ("range_test: {low: 0}", f"range_test.low: 0 {ABOVE}"),
    (
        "range_test: {low: 0.1, high: 0.1}",
        "range_test: {'low': 0.1, 'high': 0.1} needs low < high, and 0.1 is not below 0.1",
    ),
    (
        "range_test: {low: 20}",
        "range_test: {'low': 20} needs low < high, and 20.0 is not below 10.0",
    ),
    ("throughput: {block: 0}", f"throughput.block: 0 {ABOVE}"),
    (
        "throughput: {enabled: 3}",
        "throughput.enabled: 3 is neither true nor false; choose one",
    ),
    (
        "throughput: {enabled: maybe}",
        "throughput.enabled: 'maybe' is neither true nor false; choose one",
    ),
    # another kind of value
    ("workloads: digits-mlp", "workloads: 'digits-mlp' is no list; write ['digits-mlp']"),
    ("workloads: [3]", "workloads[0]: 3 is no text; put it in quotes"),
    ("workloads: [[digits-mlp]]", "workloads[0]: ['digits-mlp'] is no text"),
    ("plugins: my.py", "plugins: 'my.py' is no list; write ['my.py']"),
    ("budget: 3", "budget: 3 is no mapping; write {epochs: 3}"),
    ("budget: '5'", "budget: '5' is no mapping; write {epochs: 5}"),
    ("budget: 200 steps", "budget: '200 steps' is no mapping; write {steps: 200}"),
    ("budget: long", "budget: 'long' is no mapping; write {epochs: 10}"),
    ("validation: 20%", "validation: '20%' is no number; did you mean 0.2?"),
    ("target: 0.9", "target: 0.9 is no mapping; write {key: value}"),
    ("target: [0.9]", "target: [0.9] is no mapping; write {key: value}"),
    ("throughput: true", "throughput: True is no mapping; write {enabled: true}"),
    ("grid: [sgd]", "grid: ['sgd'] is no mapping; write {key: value}"),
    ("grid: {batch_size: 16}", "grid.batch_size: 16 is no list; write [16]"),
    ("grid: {batch_size: {a: 16}}", "grid.batch_size: {'a': 16} is no list"),
    ("grid: {optimizer: sgd}", "grid.optimizer: 'sgd' is no list; write ['sgd']"),
    ("grid: {optimizer: {name: sgd}}", "grid.optimizer: {'name': 'sgd'} is no list"),
    (
        "grid: {optimizer: [3]}",
        "grid.optimizer[0]: 3 is none of: a name, {name: ..., label: ...}, "
        "{torch: ..., label: ...}",
    ),
    (
        "grid: {schedule: [[cosine]]}",
        "grid.schedule[0]: ['cosine'] is neither a name nor {name: ..., label: ...}",
    ),
    (
        "grid: {optimizer: [{weight_decay: 1}]}",
        "grid.optimizer[0]: {'weight_decay': 1} needs either 'name' or 'torch'",
    ),
    (
        "grid: {optimizer: [{trch: torch.optim.SGD}]}",
        "grid.optimizer[0]: {'trch': 'torch.optim.SGD'} needs either 'name' or 'torch'; "
        "did you mean 'torch' by 'trch'?",
    ),
    (
        "grid: {optimizer: [{name: sgd, torch: torch.optim.SGD}]}",
        "grid.optimizer[0]: {'name': 'sgd', 'torch': 'torch.optim.SGD'} gives both 'name' and "
        "'torch'; remove one",
    ),
    (
        "grid: {optimizer: [{torch: 3}]}",
        "grid.optimizer[0].torch: 3 is no text; put it in quotes",
    ),
    (
        "grid: {schedule: [{torch: torch.optim.SGD}]}",
        "grid.schedule[0]: {'torch': 'torch.optim.SGD'} needs the key 'name'",
    ),
    (
        "grid: {optimizer: [{name: 3}]}",
        "grid.optimizer[0].name: 3 is no text; put it in quotes",
    ),
    ("grid: {lr: 0.1}", f"grid.lr: 0.1 {RATES}"),
    ("grid: {lr: log}", f"grid.lr: 'log' {RATES}"),
    (
        "grid: {lr: {sgd: 0.1}}",
        "grid.lr.sgd: 0.1 is neither a list of rates nor {log: [low, high, n]}",
    ),
    (
        "grid: {lr: {sgd: {adam: [0.1]}}}",
        "grid.lr.sgd: {'adam': [0.1]} is neither a list of rates nor {log: [low, high, n]}",
    ),
    ("grid: {lr: {1: [0.1]}}", "grid.lr[1]: 1 is no text; put it in quotes"),
    # logarithmic ranges
    (
        "grid: {lr: {log: [1, 0.1, 3]}}",
        "grid.lr: {'log': [1, 0.1, 3]} needs low < high in [low, high, n]",
    ),
    (
        "grid: {lr: {sgd: {log: [1, 1, 3]}}}",
        "grid.lr.sgd: {'log': [1, 1, 3]} needs low < high in [low, high, n]",
    ),
    ("grid: {lr: {log: [0.1, 1, 1]}}", "grid.lr.log[2]: 1 is out of range; choose 2 or more"),
    ("grid: {lr: {log: [0.1, 1, 2.5]}}", "grid.lr.log[2]: 2.5 is no whole number"),
    ("grid: {lr: {log: [0.1, 1]}}", "grid.lr.log: [0.1, 1] needs three numbers: [low, high, n]"),
    (
        "grid: {lr: {log: [1, 2, 3, 4]}}",
        "grid.lr.log: [1, 2, 3, 4] needs three numbers: [low, high, n]",
    ),
    ("grid: {lr: {log: 3}}", "grid.lr.log: 3 needs three numbers: [low, high, n]"),
    ("grid: {lr: {log: [0, 1, 2]}}", f"grid.lr.log[0]: 0 {ABOVE}"),
    ("grid: {lr: {log: [0.1, true, 2]}}", f"grid.lr.log[1]: {TRUTH}"),
    (
        "grid: {lr: {log: [0.1, 0.10001, 5]}}",
        "grid.lr: {'log': [0.1, 0.10001, 5]} holds no 5 rates that differ in four digits; "
        "choose a smaller n",
    ),
    # the budget
    ("budget: {}", "budget: {} needs either 'epochs' or 'steps'"),
    ("budget: {epochs: null}", "budget: {'epochs': None} needs either 'epochs' or 'steps'"),
    (
        "budget: {epochs: 1, steps: 3}",
        "budget: {'epochs': 1, 'steps': 3} gives both 'epochs' and 'steps'; remove one",
    ),
    # no parameters, or no YAML
    ("- a", "holds ['a'], not parameters; write key: value"),
    ("abc", "holds 'abc', not parameters; write key: value"),
    ("name: [", "broken YAML in line 1: expected the node content, but found '<stream end>'"),
    (
        "name: a\nseeds:\n  - 1\n grid: 3",
        "broken YAML in line 4: expected <block end>, but found '<block mapping start>'",
    ),
    ("name: 'x\n\n", "broken YAML in line 3: found unexpected end of stream"),
    ("\tname: x", "broken YAML in line 1: found character '\\t' that cannot start any token"),
    ("name: *a", "broken YAML in line 1: found undefined alias 'a'"),
    ("name: x\n---\nname: y", "broken YAML in line 2: but found another document"),
    ("name: x\noutput: \x01", "broken YAML in line 2: the character '\\x01' is not allowed"),
    ("name: 2024-13-45", "broken YAML in line 1: month must be in 1..12"),
    ("? [a]\n: b", "broken YAML in line 1: found unhashable key"),
    (
        "name: !!python/object:os.system x",
        "broken YAML in line 1: the tag '!!python/object:os.system' is no part of a study; "
        "remove it",
    ),
    # a key twice, at every level
    ("name: a\nseeds: 3\nname: b", "broken YAML in line 3: key 'name' is given twice"),
    ("grid:\n  lr: [1]\n  lr: [1]", "broken YAML in line 3: key 'lr' is given twice"),
    ("grid:\n  lr: {sgd: [1], sgd: [2]}", "broken YAML in line 2: key 'sgd' is given twice"),
]
