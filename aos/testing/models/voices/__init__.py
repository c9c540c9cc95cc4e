"""How each dialect sounds: one module a dialect, each with a class that turns a `Say` into its bytes."""

from aos.testing.models.voices.anthropic import AnthropicVoice
from aos.testing.models.voices.cohere import CohereVoice
from aos.testing.models.voices.gemini import GeminiVoice
from aos.testing.models.voices.ollama import OllamaVoice
from aos.testing.models.voices.openai import OpenAIVoice
from aos.testing.models.voices.replicate import ReplicateVoice
from aos.testing.models.voices.responses import ResponsesVoice
from aos.testing.models.voices.voice import Voice, embedding

__all__ = [
    "AnthropicVoice",
    "CohereVoice",
    "GeminiVoice",
    "OllamaVoice",
    "OpenAIVoice",
    "ReplicateVoice",
    "ResponsesVoice",
    "Voice",
    "embedding",
]
