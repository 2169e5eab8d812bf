// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import GRDB

/// Room that was freed in a store's file, given back to the disk.
///
/// SQLite takes what was freed for what comes next, and leaves the file as long as it once was. Only a file that was made for it
/// (``SQLiteStore/Settings/isShrinkable``) can be shortened without being written anew: pages at its end are moved to free places
/// (`incremental_vacuum`).
extension SQLiteStore {
    /// Pages that a transaction moves: some 10 ms, in which others wait.
    static let pagesInStep = 64
    /// After a step the others have so many times as long.
    private static let pause = 4.0

    /// Shortens the file in small steps, with pauses in which others write, as far as more of it is free than is to be kept. The file
    /// itself is shorter after the next checkpoint.
    ///
    /// - Parameter bytes: are kept free for what comes next, and a quarter of what is in use.
    /// - Returns: how many bytes were given back; 0 where the file was not made for it.
    @discardableResult
    public func giveBackRoom(keeping bytes: Int64) async throws(EpitopeError) -> Int64 {
        var given: Int64 = 0
        while !Task.isCancelled {
            // A look that finds nothing keeps nobody waiting.
            guard try await read({ try Room($0).pagesToGive(keeping: bytes) }) > 0 else { break }
            let began = ContinuousClock.now
            let step = try await write { db in
                let room = try Room(db)
                let count = min(room.pagesToGive(keeping: bytes), Int64(Self.pagesInStep))
                if count > 0 { try db.execute(sql: "PRAGMA incremental_vacuum(\(count))") }
                return try (room.free - Room(db).free) * room.pageSize
            }
            guard step > 0 else { break }
            given += step
            try? await Task.sleep(for: (ContinuousClock.now - began) * Self.pause)
        }
        return given
    }

    /// The bytes of the file that are in use.
    public static func usedBytes(_ db: Database) throws -> Int64 {
        let room = try Room(db)
        return room.used * room.pageSize
    }
}

/// How a file is taken up, in pages.
private struct Room {
    var used: Int64
    var free: Int64
    var pageSize: Int64
    var isShrinkable: Bool

    init(_ db: Database) throws {
        func value(_ pragma: String) throws -> Int64 { try Int64.fetchOne(db.cachedStatement(sql: "PRAGMA \(pragma)")) ?? 0 }
        free = try value("freelist_count")
        used = try value("page_count") - free
        pageSize = max(1, try value("page_size"))
        // 2: incremental (pragma.html, "auto_vacuum").
        isShrinkable = try value("auto_vacuum") == 2
    }

    func pagesToGive(keeping bytes: Int64) -> Int64 {
        isShrinkable ? max(0, free - max(bytes / pageSize, used / 4)) : 0
    }
}
