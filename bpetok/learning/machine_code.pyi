class Kernel:
    def __init__(self, address: int) -> None: ...
    def __call__(self, *arguments: object) -> None: ...

index_pairs_shard: Kernel
apply_shard: Kernel
apply_languages_shard: Kernel
