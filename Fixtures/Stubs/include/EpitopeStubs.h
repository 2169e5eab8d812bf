// SPDX-License-Identifier: Apache-2.0

/* Inert machine code for tests and the demonstration: each stub makes one call and returns. No stub changes memory,
 * hides, spreads or runs anything else; the datagram stub sends to the one address that the test wrote into it, which
 * is loopback or a network namespace of the test's own. x86-64, position independent, System V calling convention. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Fills in port and IPv4 address, in host byte order, of the sockaddr_in that a stub ends with. */
static inline void epitope_stub_put_address(uint8_t *address, uint32_t ipv4, uint16_t port) {
    address[2] = (uint8_t)(port >> 8);
    address[3] = (uint8_t)port;
    for (int i = 0; i < 4; i++) address[4 + i] = (uint8_t)(ipv4 >> (24 - 8 * i));
}

/* A copy of what a test places somewhere and calls.
 *
 *   long stub(void)      opens a UDP socket, sends this stub's own bytes to the embedded address, closes the socket,
 *                        returns what sendto returned (or socket's negative errno)
 *
 * The address is the last sixteen bytes (a sockaddr_in), the caller's address of the send is
 * EPITOPE_STUB_DATAGRAM_CALLER bytes in; no byte of the 32 before that depends on the address sent to. */
enum {
    EPITOPE_STUB_DATAGRAM_LENGTH = 0x5c,
    EPITOPE_STUB_DATAGRAM_CALLER = 0x3f,
};

/* Writes the datagram stub to `out` (at least EPITOPE_STUB_DATAGRAM_LENGTH bytes) and returns its length.
 * `ipv4` and `port` are in host byte order: 0x7f000001 is 127.0.0.1. */
static inline size_t epitope_stub_datagram(uint8_t *out, uint32_t ipv4, uint16_t port) {
    static const uint8_t code[EPITOPE_STUB_DATAGRAM_LENGTH] = {
        0x53,                                           /* push rbx                        */
        0xbf, 0x02, 0x00, 0x00, 0x00,                   /* mov edi, AF_INET                */
        0xbe, 0x02, 0x00, 0x00, 0x00,                   /* mov esi, SOCK_DGRAM             */
        0x31, 0xd2,                                     /* xor edx, edx                    */
        0xb8, 0x29, 0x00, 0x00, 0x00,                   /* mov eax, socket                 */
        0x0f, 0x05,                                     /* syscall                         */
        0x85, 0xc0,                                     /* test eax, eax                   */
        0x78, 0x32,                                     /* js out                          */
        0x89, 0xc3,                                     /* mov ebx, eax                    */
        0x89, 0xc7,                                     /* mov edi, eax                    */
        0x48, 0x8d, 0x35, 0xdd, 0xff, 0xff, 0xff,       /* lea rsi, [rip + start]          */
        0xba, EPITOPE_STUB_DATAGRAM_LENGTH, 0, 0, 0,    /* mov edx, length of this stub    */
        0x45, 0x31, 0xd2,                               /* xor r10d, r10d                  */
        0x4c, 0x8d, 0x05, 0x1a, 0x00, 0x00, 0x00,       /* lea r8, [rip + address]         */
        0x41, 0xb9, 0x10, 0x00, 0x00, 0x00,             /* mov r9d, 16                     */
        0xb8, 0x2c, 0x00, 0x00, 0x00,                   /* mov eax, sendto                 */
        0x0f, 0x05,                                     /* syscall                         */
        0x50,                                           /* push rax  <- caller's address   */
        0x89, 0xdf,                                     /* mov edi, ebx                    */
        0xb8, 0x03, 0x00, 0x00, 0x00,                   /* mov eax, close                  */
        0x0f, 0x05,                                     /* syscall                         */
        0x58,                                           /* pop rax                         */
        0x5b,                                           /* out: pop rbx                    */
        0xc3,                                           /* ret                             */
        0x02, 0x00,                                     /* address: AF_INET, port, IPv4, 8 zeros */
    };
    memcpy(out, code, sizeof code);
    epitope_stub_put_address(out + EPITOPE_STUB_DATAGRAM_LENGTH - 16, ipv4, port);
    return sizeof code;
}

/* Another attack's code: the two have nothing in common that would make one a variant of the other.
 *
 *   long stub(void)      opens a UDP socket, connects it to the embedded address, which sends nothing, closes the socket,
 *                        returns what connect returned (or socket's negative errno)
 *
 * The address is the last sixteen bytes (a sockaddr_in), the caller's address of the connect is
 * EPITOPE_STUB_CONNECTING_CALLER bytes in; no byte of the 32 before that depends on the address. */
enum {
    EPITOPE_STUB_CONNECTING_LENGTH = 0x41,
    EPITOPE_STUB_CONNECTING_CALLER = 0x24,
};

/* Writes the connecting stub to `out` (at least EPITOPE_STUB_CONNECTING_LENGTH bytes) and returns its length.
 * `ipv4` and `port` are in host byte order. */
static inline size_t epitope_stub_connecting(uint8_t *out, uint32_t ipv4, uint16_t port) {
    static const uint8_t code[EPITOPE_STUB_CONNECTING_LENGTH] = {
        0x55,                                           /* push rbp                        */
        0x6a, 0x02, 0x5f,                               /* push AF_INET; pop rdi           */
        0x6a, 0x02, 0x5e,                               /* push SOCK_DGRAM; pop rsi        */
        0x33, 0xd2,                                     /* xor edx, edx                    */
        0x6a, 0x29, 0x58,                               /* push socket; pop rax            */
        0x0f, 0x05,                                     /* syscall                         */
        0x0b, 0xc0,                                     /* or eax, eax                     */
        0x7c, 0x1d,                                     /* jl out                          */
        0x95,                                           /* xchg ebp, eax                   */
        0x8b, 0xfd,                                     /* mov edi, ebp                    */
        0x48, 0x8d, 0x35, 0x15, 0x00, 0x00, 0x00,       /* lea rsi, [rip + address]        */
        0x6a, 0x10, 0x5a,                               /* push 16; pop rdx                */
        0x6a, 0x2a, 0x58,                               /* push connect; pop rax           */
        0x0f, 0x05,                                     /* syscall                         */
        0x48, 0x96,                                     /* xchg rsi, rax  <- caller's address */
        0x8b, 0xfd,                                     /* mov edi, ebp                    */
        0x6a, 0x03, 0x58,                               /* push close; pop rax             */
        0x0f, 0x05,                                     /* syscall                         */
        0x48, 0x96,                                     /* xchg rsi, rax                   */
        0x5d,                                           /* out: pop rbp                    */
        0xc3,                                           /* ret                             */
        0x02, 0x00,                                     /* address: AF_INET, port, IPv4, 8 zeros */
    };
    memcpy(out, code, sizeof code);
    epitope_stub_put_address(out + EPITOPE_STUB_CONNECTING_LENGTH - 16, ipv4, port);
    return sizeof code;
}

/* long stub(long number, long a1, ..., long a6): the system call, made by the stub itself. */
enum { EPITOPE_STUB_DIRECT_LENGTH = 0x1a, EPITOPE_STUB_DIRECT_CALLER = 0x19 };
static const uint8_t epitope_stub_direct[EPITOPE_STUB_DIRECT_LENGTH] = {
    0x48, 0x89, 0xf8,                                   /* mov rax, rdi                    */
    0x48, 0x89, 0xf7,                                   /* mov rdi, rsi                    */
    0x48, 0x89, 0xd6,                                   /* mov rsi, rdx                    */
    0x48, 0x89, 0xca,                                   /* mov rdx, rcx                    */
    0x4d, 0x89, 0xc2,                                   /* mov r10, r8                     */
    0x4d, 0x89, 0xc8,                                   /* mov r8, r9                      */
    0x4c, 0x8b, 0x4c, 0x24, 0x08,                       /* mov r9, [rsp + 8]               */
    0x0f, 0x05,                                         /* syscall                         */
    0xc3,                                               /* ret       <- caller's address   */
};

/* long stub(void *function, long a1, ..., long a5, long a6): a call of a library's function with five register
 * arguments and a6 as the sixth. */
enum { EPITOPE_STUB_LIBRARY_LENGTH = 0x24, EPITOPE_STUB_LIBRARY_CALLER = 0x22 };
static const uint8_t epitope_stub_library[EPITOPE_STUB_LIBRARY_LENGTH] = {
    0x55,                                               /* push rbp                        */
    0x48, 0x89, 0xe5,                                   /* mov rbp, rsp                    */
    0x48, 0x89, 0xf8,                                   /* mov rax, rdi                    */
    0x48, 0x89, 0xf7,                                   /* mov rdi, rsi                    */
    0x48, 0x89, 0xd6,                                   /* mov rsi, rdx                    */
    0x48, 0x89, 0xca,                                   /* mov rdx, rcx                    */
    0x4c, 0x89, 0xc1,                                   /* mov rcx, r8                     */
    0x4d, 0x89, 0xc8,                                   /* mov r8, r9                      */
    0x4c, 0x8b, 0x4d, 0x10,                             /* mov r9, [rbp + 16]              */
    0x49, 0x89, 0xc3,                                   /* mov r11, rax                    */
    0x31, 0xc0,                                         /* xor eax, eax                    */
    0x41, 0xff, 0xd3,                                   /* call r11                        */
    0x5d,                                               /* pop rbp   <- caller's address   */
    0xc3,                                               /* ret                             */
};

/* long stub(int number, int b, int c, int d, int s, int e): a 32-bit call (int 0x80) made by 64-bit code; its
 * pointers must lie below 4 GiB. */
enum { EPITOPE_STUB_INT80_LENGTH = 0x1a, EPITOPE_STUB_INT80_CALLER = 0x15 };
static const uint8_t epitope_stub_int80[EPITOPE_STUB_INT80_LENGTH] = {
    0x53,                                               /* push rbx                        */
    0x89, 0xf8,                                         /* mov eax, edi                    */
    0x89, 0xf3,                                         /* mov ebx, esi                    */
    0x49, 0x89, 0xcb,                                   /* mov r11, rcx                    */
    0x89, 0xd1,                                         /* mov ecx, edx                    */
    0x4c, 0x89, 0xda,                                   /* mov rdx, r11                    */
    0x4c, 0x89, 0xc6,                                   /* mov rsi, r8                     */
    0x4c, 0x89, 0xcf,                                   /* mov rdi, r9                     */
    0xcd, 0x80,                                         /* int 0x80                        */
    0x48, 0x63, 0xc0,                                   /* movsxd rax, eax <- caller's address */
    0x5b,                                               /* pop rbx                         */
    0xc3,                                               /* ret                             */
};
