"""What tests share: small studies, data, projects and stand-ins. No test is in here."""
