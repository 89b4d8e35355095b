// The words of our mails, in every language that we write. letter_source.hpp says how they are marked up.
#pragma once

#include "mail/letter_source.hpp"
#include "mail/mail.hpp"

namespace safawinet {

// Every kind of mail has one in every language.
LetterSource english_letter(MailKind kind);
LetterSource arabic_letter(MailKind kind);

}  // namespace safawinet
