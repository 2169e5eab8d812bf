# SPDX-License-Identifier: Apache-2.0
"""The pages under Documentation/Reference, and the tables of ARCHITECTURE.md, made from the sources."""
