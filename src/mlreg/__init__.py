"""A registry for machine learning that needs no server: models and datasets with versions, tags and lineage.

The floors, from the top; an import points down:

    cli                           words: the only code that prints
    config                        settings; the only code that reads the environment
    registry                      one method per thing a user can do
    adapters                      live objects as files, and back
    operations                    verbs over repositories
    repository                    objects and the transaction log in one store
    stores                        bytes under keys, somewhere
    formats  codecs  tensors      bytes to values and back
    ids, errors                   the words

`mlreg.registry.ModelRegistry` is for training code, `mlreg.registry.Registry` for everything else.
"""

__version__ = "0.1.0"
