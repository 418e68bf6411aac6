"""What should happen: routines, their triggers, and the reader of registry.xml."""
