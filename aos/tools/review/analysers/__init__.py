"""One analyser a file: each looks at a source tree with one tool, and says what it found and measured."""
