"""Stand-alone fakes of everything around the pipeline. They import nothing of ours from outside this folder."""
