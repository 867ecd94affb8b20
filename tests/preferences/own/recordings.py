"""Files of trajectories and labels as other projects write them, of the task "point"."""

import json

import numpy as np

LENGTH = 12


def episodes(count=48, seed=0, length=LENGTH):
    """Steps of the task "point", one after the other, in D4RL's names.

    Every second episode pushes the mass to the middle, the others away from it: the former earn
    more, at each pair of neighbours.
    """
    draw = np.random.default_rng(seed)
    columns = {name: [] for name in ("observations", "actions", "rewards", "policy", "episode")}
    for episode in range(count):
        place, speed = draw.uniform(-1, 1, 2)
        aim = -1.0 if episode % 2 == 0 else 1.0
        for _ in range(length):
            action = np.clip(aim * place + 0.1 * draw.normal(), -1, 1)
            columns["observations"].append([place, speed])
            columns["actions"].append([action])
            speed = 0.9 * speed + 0.1 * action
            place = place + 0.2 * speed
            columns["rewards"].append(1.0 - place**2)
            columns["policy"].append(episode % 2)
            columns["episode"].append(episode)
    arrays = {name: np.array(values) for name, values in columns.items()}
    for name in ("observations", "actions", "rewards"):
        arrays[name] = arrays[name].astype("f4")
    ends = np.arange(1, count * length + 1) % length == 0
    return arrays | {"terminals": np.zeros(len(ends), bool), "timeouts": ends}


D4RL = ("observations", "actions", "rewards", "terminals", "timeouts")


def write_npz(path, arrays=None, **changes):
    arrays = {**(episodes() if arrays is None else arrays), **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def write_d4rl(path, arrays=None, **options):
    import h5py

    arrays = episodes() if arrays is None else arrays
    with h5py.File(path, "w") as file:
        for name in (*D4RL, "policy"):
            file.create_dataset(name, data=arrays[name], **options)
        file.create_dataset("infos/qpos", data=arrays["observations"])
    return path


def write_minari(folder, arrays=None, length=LENGTH, **about):
    import h5py

    arrays = episodes() if arrays is None else arrays
    (folder / "data").mkdir(parents=True)
    spec = json.dumps({"id": "Point-v0", "max_episode_steps": length})
    about = {"data_format": "hdf5", "env_spec": spec, **about}
    (folder / "data" / "metadata.json").write_text(json.dumps(about))
    with h5py.File(folder / "data" / "main_data.hdf5", "w") as file:
        for number in range(len(arrays["rewards"]) // length):
            rows = slice(number * length, (number + 1) * length)
            group = file.create_group(f"episode_{number}")
            seen = arrays["observations"][rows]
            group["observations"] = np.concatenate([seen, seen[-1:]])
            group["actions"] = arrays["actions"][rows]
            group["rewards"] = arrays["rewards"][rows].astype(float)
            group["terminations"] = np.zeros(length, bool)
            group["truncations"] = np.arange(length) == length - 1
    return folder


def segments(arrays, pairs=80, segment=8, seed=1, length=LENGTH):
    """First steps of two segments of different episodes, and which one earned more, 0 or 1."""
    draw = np.random.default_rng(seed)
    count = len(arrays["rewards"]) // length
    which = np.stack([draw.permutation(count)[:2] for _ in range(pairs)], axis=1)
    first = which * length + draw.integers(0, length - segment + 1, which.shape)
    sums = np.array([[arrays["rewards"][at : at + segment].sum() for at in side] for side in first])
    return {"indices_1": first[0], "indices_2": first[1], "label": (sums[0] < sums[1]).astype(int)}
