// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Huge pages that the machine lends out on demand for as long as the value lives.
public final class HugePages: Sendable {
    /// No two megabytes in one piece could be had, however often memory was put together.
    struct NotToBeHad: Error, CustomStringConvertible {
        var error: Int32
        var description: String { "the machine has no huge page to lend: \(String(cString: strerror(error)))" }
    }

    public static let isPossible = access(place, W_OK) == 0

    private static let place = "/proc/sys/vm/nr_overcommit_hugepages"
    private let before: String

    /// - Throws: when the kernel lends none within ten seconds. A machine that was busy for long has its free memory in small pieces.
    public init() throws {
        before = try KernelFile.text(Self.place)
        try Self.write("8\n", to: Self.place)
        for attempt in 1... {
            let error = Self.borrow()
            if error == 0 { break }
            if attempt == 20 { throw NotToBeHad(error: error) }
            try? Self.write("1\n", to: "/proc/sys/vm/compact_memory")
            usleep(500_000)
        }
    }

    /// Takes as many pages as a test does, and gives them back.
    ///
    /// - Returns: the error's number; 0: none.
    private static func borrow() -> Int32 {
        let length = 2 << 21
        let pages = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0)
        guard let pages, pages != MAP_FAILED else { return errno }
        munmap(pages, length)
        return 0
    }

    private static func write(_ text: String, to path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }

    deinit { try? Self.write(before, to: Self.place) }
}
