"""Where bytes come from and go to: files, standard streams, memory."""
