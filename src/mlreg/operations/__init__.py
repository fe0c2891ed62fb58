"""Operations: a file is a verb over repositories.

`ingest` and `record` bring a version in, `checkout` writes one out, `history` walks what there is,
`transfer` copies between repositories, `check` proves that nothing is damaged.
"""
