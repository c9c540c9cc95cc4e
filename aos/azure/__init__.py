"""Adapters on the Azure SDKs. Importing this package loads none of them: each does so at its first use."""
