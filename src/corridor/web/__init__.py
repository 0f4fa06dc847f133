"""The shell of every page: base template, components, charts, exports, language switch."""
