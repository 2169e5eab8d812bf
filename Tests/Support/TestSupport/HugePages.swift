// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Huge pages that the machine lends out on demand for as long as the value lives.
public final class HugePages: Sendable {
    public static let isPossible = access(place, W_OK) == 0

    private static let place = "/proc/sys/vm/nr_overcommit_hugepages"
    private let before: String

    public init() throws {
        before = try KernelFile.text(Self.place)
        try Self.write("8\n")
    }

    private static func write(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: place)) }

    deinit { try? Self.write(before) }
}
