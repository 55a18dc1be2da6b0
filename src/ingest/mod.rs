//! Coverage databases, reports and JSON in, observations out.
