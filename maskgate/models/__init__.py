"""Champion and challenger, for operators: promotion, paired comparison, report to an auditor."""
