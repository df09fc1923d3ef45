"""The paper's claims and records -> metrics, intervals, verdicts."""
