// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc

/// The files that a running Suricata loads its rules from, by its own configuration.
struct RuleFileList: Sendable {
    /// Paths or patterns of paths.
    let patterns: [String]

    /// More entries than any configuration has: an end, should Suricata answer without end.
    private static let maxEntries = 4096

    init(_ control: SuricataControl) throws(EpitopeError) {
        let folder = try control.configuration("default-rule-path") ?? "/etc/suricata/rules"
        var patterns: [String] = []
        while patterns.count < Self.maxEntries, let entry = try control.configuration("rule-files.\(patterns.count)") {
            patterns.append(entry.hasPrefix("/") ? entry : "\(folder)/\(entry)")
        }
        self.patterns = patterns
    }

    func contains(_ path: String) -> Bool {
        let resolved = Self.resolved(path)
        return patterns.contains { pattern in
            pattern == path || Self.resolved(pattern) == resolved || fnmatch(pattern, path, FNM_PATHNAME) == 0
                || fnmatch(pattern, resolved, FNM_PATHNAME) == 0
        }
    }

    /// The first other file with a rule of that number.
    func otherFile(with sid: UInt32, than path: String) -> String? {
        for pattern in patterns where Self.resolved(pattern) != Self.resolved(path) {
            let text = RulesFile(path: pattern).read() ?? ""
            let used = text.split(separator: "\n").contains {
                !$0.hasPrefix("#") && ($0.contains("sid:\(sid);") || $0.contains("sid: \(sid);"))
            }
            if used { return pattern }
        }
        return nil
    }

    /// The path with links in its folder resolved, so that two names of one file compare equal. The file itself need not
    /// exist.
    static func resolved(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return path }
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        guard let real = realpath(folder, nil) else { return path }
        defer { free(real) }
        return "\(String(cString: real))\(path[slash...])"
    }
}
