// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What the running kernel says of the machine and of itself (uname(2)); `nil` for what it leaves empty.
public struct SystemName: Hashable, Sendable {
    /// The machine's name in this process's namespace, at most 64 bytes.
    public var machine: String?
    /// Such as `6.1.0-1-amd64`.
    public var kernelRelease: String?
    /// Which build of that release, such as `#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)`.
    public var kernelBuild: String?

    /// As it is now: the machine's name may change.
    public static var current: SystemName {
        var names = utsname()
        guard uname(&names) == 0 else { return SystemName() }
        return SystemName(machine: text(names.nodename), kernelRelease: text(names.release), kernelBuild: text(names.version))
    }

    private static func text<Field>(_ field: Field) -> String? {
        let text = withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return text.isEmpty ? nil : text
    }
}
