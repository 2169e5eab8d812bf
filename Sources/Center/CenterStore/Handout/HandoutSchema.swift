// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What a center hands out to its hosts: the programs, the orders, and how they fare.
extension Schema {
    static func registerHandout(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("handout 1 versions for hosts") { db in
            try db.execute(sql: handout(bytes: "BLOB", number: "INTEGER", text: "TEXT", end: " STRICT"))
        }
    }

    /// `agent_parts`: programs by their SHA-256, in parts. `agent_versions.files`: the lines of a manifest. `agent_orders.signed`: the text
    /// of a signed manifest. `agent_hosts`: one row a host, of the order that it was given last: `about`, and how that fares.
    static func handout(bytes: String, number: String, text: String, end: String) -> String {
        """
        CREATE TABLE agent_parts (
          sha256 \(text) NOT NULL,
          part \(number) NOT NULL,
          bytes \(bytes) NOT NULL,
          PRIMARY KEY (sha256, part)
        )\(end);
        CREATE TABLE agent_versions (
          architecture \(text) NOT NULL,
          version \(text) NOT NULL,
          files \(text) NOT NULL,
          added_ms \(number) NOT NULL,
          PRIMARY KEY (architecture, version)
        )\(end);
        CREATE TABLE agent_orders (
          number \(number) PRIMARY KEY,
          architecture \(text) NOT NULL,
          version \(text) NOT NULL,
          signed \(text) NOT NULL,
          share \(number) NOT NULL,
          tolerated \(number) NOT NULL,
          well_seconds \(number) NOT NULL,
          report_seconds \(number) NOT NULL,
          state \(text) NOT NULL,
          reason \(text),
          made_ms \(number) NOT NULL
        )\(end);
        CREATE TABLE agent_hosts (
          name \(text) PRIMARY KEY,
          architecture \(text) NOT NULL,
          version \(text) NOT NULL,
          about \(number) NOT NULL,
          state \(text) NOT NULL,
          given_ms \(number) NOT NULL,
          seen_ms \(number) NOT NULL,
          detail \(text) NOT NULL DEFAULT ''
        )\(end);
        CREATE INDEX agent_hosts_about ON agent_hosts(about, state);
        CREATE INDEX agent_hosts_seen ON agent_hosts(architecture, seen_ms);
        """
    }
}
