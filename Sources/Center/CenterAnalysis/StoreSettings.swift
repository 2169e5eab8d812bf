// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import SettingsFiles

/// Where a center's store lies, when not in a file of its own.
public struct StoreSettings: Hashable, Sendable, SettingsGroup {
    /// How the PostgreSQL database is reached, as libpq takes it: `host=a,b,c dbname=epitope user=epitope sslmode=verify-full`. The
    /// password does not belong here: see libpq's password file (PGPASSFILE).
    public var postgresql = ""
    /// Whether a standby is expected that has each commit (synchronous replication): without one the center is not ready. It takes
    /// packets all the same, unless the server makes it wait.
    public var synchronousStandby = false

    public init() {}

    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try visitor.setting("postgresql", &postgresql)
        try visitor.setting("synchronousStandby", &synchronousStandby)
    }

    public var faults: [SettingFault] { SettingFault.of("postgresql") { () throws(EpitopeError) in try checkConnection() } }

    private func checkConnection() throws(EpitopeError) {
        guard postgresql.contains(where: { !$0.isWhitespace }) else {
            throw EpitopeError(
                .configurationInvalid, "the setting 'store' does not say where the database is",
                remedy:
                    "set store.postgresql to a connection string such as \"host=db1,db2 dbname=epitope user=epitope\", or leave store out")
        }
        // libpq takes spaces about the equals sign.
        guard postgresql.lowercased().firstMatch(of: /(?:^|\s)password\s*=/) == nil, !hasPasswordInURI
        else {
            throw EpitopeError(
                .configurationInvalid, "the setting 'store.postgresql' has a password in it, which every log and backup would have",
                remedy: "put it into libpq's password file (PGPASSFILE, mode 0600), or use a certificate (sslcert, sslkey)")
        }
    }

    /// In `postgresql://USER:PASSWORD@HOST`, or as a parameter behind it.
    private var hasPasswordInURI: Bool {
        let text = postgresql.lowercased()
        guard let scheme = text.firstRange(of: "://") else { return false }
        let authority = text[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
        let user = authority.lastIndex(of: "@").map { authority[..<$0] } ?? ""
        return user.contains(":") || text.contains("?password=") || text.contains("&password=")
    }
}
