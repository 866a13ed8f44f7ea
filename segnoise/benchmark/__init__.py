"""Many trainings from one config: data sets x noises x losses x methods x seeds, and a report."""
