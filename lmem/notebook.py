"""What every notebook does first: the same seeds, four digits, no progress bars, no chatter."""

import os
import warnings


def setup(seed=0):
    """Make a notebook's output the same on every machine, as far as arithmetic allows."""
    os.environ.update(
        TQDM_DISABLE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false"
    )
    warnings.filterwarnings("ignore", message=".*HF_TOKEN.*")  # public models need none
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    torch.set_printoptions(precision=4, sci_mode=False)
