"""Where sources come from: git remotes, folders."""
