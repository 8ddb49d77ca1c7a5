# SPDX-License-Identifier: Apache-2.0
"""What the tests stand on: the daemon, an upstream that follows a script, modules to order, and a hub client."""
