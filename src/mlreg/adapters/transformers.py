"""transformers: models and tokenizers, as the folder that it writes itself."""

from __future__ import annotations

from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, is_a, untrusted, word
from mlreg.adapters.notes import decode_note, note
from mlreg.errors import IntegrityError, UsageError
from mlreg.operations.scanning import sources_below

CLASS = "class.json"
CONFIG = "config.json"
BASES = ("PreTrainedModel", "PreTrainedTokenizerBase")


class TransformersAdapter(Adapter):
    """A `PreTrainedModel` or a tokenizer; comes back as one of the same class, which must be one of transformers."""

    name = "transformers"
    package = "transformers"
    extra = "transformers"

    def recognises(self, model: object) -> bool:
        return is_a(model, "transformers", *BASES)

    def save(self, model: Any, scratch: Scratch) -> Kept:
        framework = self.framework()
        has_code = bool(getattr(getattr(model, "config", None), "auto_map", None))
        if not has_code and getattr(self.imported(), type(model).__name__, None) is not type(model):
            raise UsageError(
                "cannot_keep",
                f"{word(model)} is no class of transformers",
                why="without its code it could not be loaded, and code is not kept",
                fix=("model.register_for_auto_class(), then register it", "register model.state_dict()"),
            )
        place = scratch()
        model.save_pretrained(place)
        sources = [*sources_below([place]), note({"class": type(model).__name__}, CLASS)]
        return Kept(sources, framework=framework, signature=_signature(model))

    def load(self, stored: Stored, *, trust: bool) -> Any:
        transformers = self.imported()
        name = str(decode_note(stored.read(CLASS)).get("class"))
        options = {"local_files_only": True, "trust_remote_code": trust}
        if CONFIG in stored.paths:
            options["use_safetensors"] = True  # other weights are pickles
            code = _code_in(decode_note(stored.read(CONFIG)))
            if code and not trust:
                raise untrusted(stored.ref, f"its {CONFIG} names code: {code}")
            if code == "auto_map":
                return transformers.AutoModel.from_pretrained(stored.checkout(), **options)
        return _class_of(transformers, stored.ref, name).from_pretrained(stored.checkout(), **options)


def _class_of(transformers: Any, ref: str, name: str) -> Any:
    """Return a class of transformers by its name; no other class, and no function."""
    found = getattr(transformers, name, None) if name.isidentifier() and not name.startswith("_") else None
    if not isinstance(found, type) or not any(cls.__name__ in BASES for cls in found.__mro__):
        raise IntegrityError(
            "bad_model",
            f"{ref} says that it is a {name[:80]!r}, which is no model or tokenizer of transformers",
            fix=("pip install --upgrade transformers", "get_path(...) for its files"),
        )
    return found


def _code_in(config: dict[str, Any]) -> str:
    """Return the first setting of a model that is code, in its files or from elsewhere; empty if there is none."""
    kernels = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
    if config.get("auto_map"):
        return "auto_map"
    return next((key for key in kernels if "/" in str(config.get(key))), "")


def _signature(model: Any) -> dict[str, Any]:
    if not hasattr(model, "parameters"):
        return {"vocabulary": len(model)}
    tensors = list(model.parameters())
    return {"tensors": len(tensors), "parameters": sum(tensor.numel() for tensor in tensors)}
