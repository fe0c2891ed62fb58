"""What data are like: tables in files, their columns, and what may be said of them.

Files are read where they lie; what comes back are frozen values, which are functions of the bytes alone. Nothing here
knows of repositories.
"""
